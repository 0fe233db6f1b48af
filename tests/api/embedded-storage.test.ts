import { expect, test, vi } from "vitest"
import { embeddedStorage } from "../../src/api/embedded-storage.js"
import { bytesOnDisk } from "../../src/cli/bytes-on-disk.node.js"
import { openLimiter } from "../../src/embedded/open-limiter.node.js"
import { Scratch } from "../cli/run.js"

test("doctor() says of a log that it could not read nothing but that", async () => {
  using scratch = new Scratch()
  await using limiter = await openLimiter({ path: scratch.path, policy: "5/minute" })
  const storage = embeddedStorage(limiter, () => 0)
  expect(await storage.doctor()).toContainEqual(expect.objectContaining({ name: "log", ok: true }))
  const report = await limiter.doctor()
  const problems = ["Cannot reach the store: a commit failed."]
  limiter.doctor = async () => ({ ...report, ok: false, problems, rows: 0, records: 0, replayEqualsLive: false })
  expect(await storage.doctor()).toEqual([
    { name: "store", ok: false, detail: "Cannot reach the store: a commit failed." },
    { name: "file", ok: true, detail: "SQLite finds it sound" },
    { name: "log", ok: false, detail: "not read, for what is told of the store" },
  ])
})

test.each(["verify", "doctor"] as const)(
  "%s() reads the log once for all who ask meanwhile, and anew for the next",
  async (name) => {
    using scratch = new Scratch()
    await using limiter = await openLimiter({ path: scratch.path, policy: "5/minute" })
    const storage = embeddedStorage(limiter, () => 0)
    const read = vi.spyOn(limiter, name)
    const told = await Promise.all(Array.from({ length: 20 }, () => storage[name]()))
    expect(new Set(told).size).toBe(1)
    expect(read).toHaveBeenCalledTimes(1)
    read.mockRejectedValueOnce(new Error("It cannot be read."))
    const failed = await Promise.allSettled([storage[name](), storage[name]()])
    expect(failed.map(({ status }) => status)).toEqual(["rejected", "rejected"])
    expect(read).toHaveBeenCalledTimes(2)
    expect(await storage[name]()).toEqual(told[0])
    expect(read).toHaveBeenCalledTimes(3)
  },
)

test("gauges() leaves out the size of files that cannot be looked at", async () => {
  using scratch = new Scratch()
  await using limiter = await openLimiter({ path: scratch.path, policy: "5/minute" })
  const sizeOf = (folder: string) => embeddedStorage(limiter, () => bytesOnDisk(folder)).gauges()
  expect(sizeOf(scratch.path)).toEqual({ logBytes: expect.any(Number), liveKeys: 0 })
  expect(sizeOf(scratch.file("none"))).toEqual({ liveKeys: 0 })
})

test("compact() tells what it folded and the bytes of the log, without reading all of it", async () => {
  using scratch = new Scratch()
  const options = { path: scratch.path, policy: "5/minute", historySegments: 0 }
  {
    await using limiter = await openLimiter(options)
    await limiter.compact()
    for (let key = 0; key < 10; key++) await limiter.check(`key-${key}`)
  }
  await using limiter = await openLimiter(options)
  const storage = embeddedStorage(limiter, () => 0)
  const seen: number[] = []
  const verify = limiter.verify.bind(limiter)
  const log = async () => {
    const { bytes } = await verify()
    seen.push(bytes)
  }
  limiter.verify = () => {
    throw new Error("the whole log was read")
  }
  // A denial is held back until the next record.
  await limiter.check("key-1", { cost: 5 })
  await log()
  const first = await storage.compact()
  await log()
  expect(first).toEqual({ records: 11, bytesBefore: seen[0], bytesAfter: seen[1] })
  await limiter.check("key-1")
  expect(await storage.compact()).toMatchObject({ records: 1 })
  expect(await storage.compact()).toMatchObject({ records: 0 })
  expect(await limiter.peek("key-1")).toMatchObject({ remaining: 3 })
})
