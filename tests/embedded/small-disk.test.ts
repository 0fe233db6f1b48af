import { spawnSync } from "node:child_process"
import fs, { chmodSync, cpSync, mkdirSync, readFileSync, statSync } from "node:fs"
import { join } from "node:path"
import { afterAll, afterEach, describe, expect, test, vi } from "vitest"
import { openKeepingAll, openLimiter } from "../../src/embedded/open-limiter.node.js"
import { ROOT } from "../conformance/run-in-runtime.js"
import { removeFolders, temporaryFolder } from "./temporary-folder.js"

const TEST_MS = 120_000
const MIB = 2 ** 20

afterAll(removeFolders)
afterEach(() => {
  vi.restoreAllMocks()
  vi.unstubAllGlobals()
})

/** Has every disk tell that so much is free. */
function freeOnDisk(bytes: number) {
  return vi.spyOn(fs, "statfsSync").mockReturnValue({ bavail: bytes, blocks: bytes, bsize: 1 } as never)
}

/** How many pages the file has after the last commit in a write-ahead log, of which every frame is committed. */
function lastPages(wal: Buffer): number {
  let pages = 0
  for (let at = 32; at < wal.length; at += 24 + 4_096) pages = wal.readUInt32BE(at + 4) || pages
  return pages
}

/** Runs lines of a shell, in namespaces of its own: it may mount what nobody else sees. */
function shellApart(lines: string, ...values: string[]) {
  return spawnSync("unshare", ["-rm", "sh", "-ec", lines, "sh", ...values], { cwd: ROOT, encoding: "utf8" })
}

const MOUNT = 'mkdir "$1"; mount -t tmpfs -o size=3m tmpfs "$1"'
const MAY_MOUNT = shellApart(MOUNT, temporaryFolder()).status === 0
const PROGRAM = 'node tests/embedded/programs/small-disk.mjs "$1/data" "$2"'

describe("a store on a small disk", () => {
  // Where no namespace can be made, no small disk can.
  test.skipIf(!MAY_MOUNT)(
    "a volume of 3 MB never fills up with what is compacted to a few pages",
    () => {
      const { stdout, stderr } = shellApart(`${MOUNT}\n${PROGRAM}`, temporaryFolder(), "60000")
      expect(stderr).toBe("")
      expect(JSON.parse(stdout)).toEqual({ failures: 0, lastFailures: 0, ok: true })
    },
    TEST_MS,
  )

  test.skipIf(!MAY_MOUNT)(
    "doctor() tells of a disk on which no check can be made durable, open and opened anew, and not once it has room",
    () => {
      const program = 'node tests/embedded/programs/full-disk.mjs "$1/data" "$1/filler"'
      const { stdout, stderr } = shellApart(`${MOUNT}\n${program}`, temporaryFolder())
      expect(stderr).toBe("")
      const noRoom = {
        ok: false,
        problems: [expect.stringMatching(/^Cannot reach the store: a commit of 65536 bytes needs \d+ bytes of room/)],
      }
      expect(JSON.parse(stdout)).toEqual({ told: [noRoom, noRoom, noRoom, { ok: true, problems: [] }], isSame: true })
    },
    TEST_MS,
  )

  test.skipIf(!MAY_MOUNT).each([
    ["always", 1_024],
    ["batch", 2_048],
  ])(
    "sync %s: a store that filled its disk of %d KB is opened after a kill, and written once 100 KB are given back",
    (sync, kilobytes) => {
      const mount = MOUNT.replace("3m", `${kilobytes}k`)
      const program = 'node tests/embedded/programs/filled-disk.mjs "$1" "$2"'
      const { stdout, stderr } = shellApart(`${mount}\n${program}`, temporaryFolder(), sync)
      expect(stderr).toBe("")
      const given = { lost: 0, replayEqualsLive: true, failures: 0 }
      expect(JSON.parse(stdout)).toEqual({ full: { lost: 0, isRoom: true }, given })
    },
    TEST_MS,
  )

  /** Has the disk of a folder tell what a disk of so many bytes, which nobody else writes to, would. */
  function diskOf(folder: string, bytes: number) {
    const size = (name: string) => statSync(join(folder, name), { throwIfNoEntry: false })?.size ?? 0
    const disk = { bytes, free: () => disk.bytes - size("sluice.db") - size("sluice.db-wal") - size("sluice.end") }
    vi.spyOn(fs, "statfsSync").mockImplementation((() => ({ bavail: disk.free(), blocks: bytes, bsize: 1 })) as never)
    return { disk, size }
  }

  test.each(["always", "batch"] as const)(
    "sync %s: no commit, also of a compaction or a verification, takes room that copying the write-ahead log needs",
    async (sync) => {
      const folder = temporaryFolder()
      mkdirSync(folder)
      const { disk, size } = diskOf(folder, MIB)
      const lacks: number[] = []
      const noteLack = () => {
        const wal = readFileSync(join(folder, "sluice.db-wal"))
        if (wal.length > 0) lacks.push(lastPages(wal) * 4_096 - size("sluice.db") - disk.free())
      }
      const limiter = await openLimiter({ path: folder, policy: "9/day", sync, onCommit: noteLack })
      let failures = 0
      for (let turn = 0; failures < 5 && lacks.every((lack) => lack <= 0); turn++) {
        const keys = Array.from({ length: 200 }, (_, key) => `${turn} ${key}`.padEnd(60))
        const asked = await Promise.allSettled(keys.map((key) => limiter.check(key)))
        const flushed = await Promise.allSettled([limiter.flush(), ...(turn % 10 === 9 ? [limiter.verify()] : [])])
        if ([...asked, ...flushed].some(({ status }) => status === "rejected")) failures++
      }
      expect(Math.max(...lacks)).toBeLessThanOrEqual(0)
      disk.bytes += 100_000
      await limiter.check("ada")
      await limiter.flush()
      await limiter.close()
    },
  )

  test.skipIf(process.platform === "win32")(
    "goes on in the files that are open where its process may not look into the folder any more",
    () => {
      const folder = temporaryFolder()
      const args = ["tests/embedded/programs/given-up.mjs", folder]
      const { stdout, stderr } = spawnSync(process.execPath, args, { cwd: ROOT, encoding: "utf8", timeout: TEST_MS })
      chmodSync(folder, 0o700)
      expect({ stdout, stderr }).toEqual({ stdout: "[7,6,5,4,3]\n", stderr: "" })
    },
    TEST_MS,
  )

  test("a compaction that the disk has no room for is given up: checks go on, and doctor() tells until one succeeds", async () => {
    const folder = temporaryFolder()
    mkdirSync(folder)
    const { disk } = diskOf(folder, 100 * MIB)
    const onFailure = vi.fn()
    await using limiter = await openLimiter({ path: folder, policy: "9/day", onFailure })
    await Promise.all(Array.from({ length: 3_000 }, (_, key) => limiter.check(`${key}`.padEnd(60))))
    disk.bytes -= disk.free() - 400_000
    const message = expect.stringMatching(
      /^Cannot reach the store: a commit of \d+ bytes needs \d+ bytes of room on the disk, where \d+ are free, and the log was not compacted\.$/,
    )
    await expect(limiter.compact()).rejects.toMatchObject({ name: "StoreUnavailable", message })
    expect((await limiter.check("ada")).remaining).toBe(8)
    expect(await limiter.doctor()).toMatchObject({ ok: false, problems: [message], replayEqualsLive: true })
    disk.bytes += 2 * MIB
    await limiter.compact()
    expect(await limiter.doctor()).toMatchObject({ ok: true, rows: expect.any(Number) })
    expect(onFailure).not.toHaveBeenCalled()
  })

  test.each([
    ["batch", [50_000, 90_000]],
    ["always", [88_000, 92_000]],
  ] as const)(
    "sync %s: a full disk on which no compaction can be begun fails no more commits than without one: with %j bytes free",
    async (sync, frees) => {
      const long = temporaryFolder()
      mkdirSync(long)
      diskOf(long, 100 * MIB)
      const filled = await openLimiter({ path: long, policy: "9/day", sync, compactBytes: 2 ** 31 })
      for (let batch = 0; batch < 40; batch++) {
        await Promise.all(Array.from({ length: 100 }, (_, key) => filled.check(`${batch} ${key}`.padEnd(60))))
        await filled.flush()
      }
      await filled.close()

      /** How many of some commits fail; at last there is room. */
      async function failuresOf(free: number, open: typeof openLimiter) {
        const folder = temporaryFolder()
        cpSync(long, folder, { recursive: true })
        const { disk } = diskOf(folder, 100 * MIB)
        disk.bytes -= disk.free() - free
        const onFailure = vi.fn()
        const limiter = await open({ path: folder, policy: "9/day", sync, onFailure })
        for (let turn = 0; turn < 40; turn++) {
          await Promise.allSettled([limiter.check("ada")])
          await limiter.flush().catch(() => {})
        }
        const failures = onFailure.mock.calls.length
        disk.bytes += 2 * MIB
        await limiter.compact()
        expect(await limiter.doctor()).toMatchObject({ ok: true, replayEqualsLive: true })
        await limiter.close()
        return failures
      }

      for (const free of frees) {
        expect(await failuresOf(free, openLimiter)).toBe(await failuresOf(free, openKeepingAll))
      }
    },
    TEST_MS,
  )

  test(
    "where no file may grow past 100 KB, a commit that the write-ahead log has no room for is followed by others",
    () => {
      const folder = temporaryFolder()
      const { stdout } = spawnSync("sh", ["-c", `ulimit -f 200; ${PROGRAM}`, "sh", folder, "1500"], {
        cwd: ROOT,
        encoding: "utf8",
      })
      const { failures, lastFailures, ok } = JSON.parse(stdout)
      expect(ok).toBe(true)
      expect(failures).toBeGreaterThan(0)
      expect(lastFailures).toBeLessThan(100)
    },
    TEST_MS,
  )

  test.each([
    ["scarce", 15, true],
    ["not scarce", 1_000, false],
  ])(
    "a log of 200 KB is compacted where the room on the disk is scarce: where it is %s",
    async (_, freeMib, isCompacted) => {
      freeOnDisk(freeMib * MIB)
      await using limiter = await openLimiter({ path: temporaryFolder(), policy: "9/hour", sync: "batch" })
      for (let key = 0; key < 1_000; key++) await limiter.check(`${key}`.padStart(200))
      await limiter.flush()
      await expect.poll(async () => (await limiter.doctor()).coveredSequence > 0).toBe(isCompacted)
    },
  )

  test.each([
    ["prompt", 0],
    ["denied", 0],
    ["granted", 1],
  ])("Deno, whose permission to look at disks is %s, is not made to ask for it", async (state, looks) => {
    const querySync = vi.fn(() => ({ state }))
    vi.stubGlobal("Deno", { permissions: { querySync } })
    const look = freeOnDisk(1_000 * MIB)
    const limiter = await openLimiter({ path: temporaryFolder(), policy: "9/hour" })
    await limiter.check("ada")
    await limiter.close()
    expect(querySync).toHaveBeenCalledWith({ name: "sys", kind: "statfs" })
    expect(look).toHaveBeenCalledTimes(looks)
  })
})
