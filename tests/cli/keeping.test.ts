import { afterEach, beforeEach, expect, test } from "vitest"
import { type OpenLimiterOptions, openLimiter } from "../../src/embedded/open-limiter.node.js"
import { type Ran, run, Scratch } from "./run.js"
import { post, raw, Servers, TOKEN } from "./servers.js"

let scratch: Scratch

beforeEach(() => {
  scratch = new Scratch()
})
afterEach(() => scratch[Symbol.dispose]())

const sluice = (...args: string[]): Promise<Ran> => run([...args, "--data-dir", scratch.file("data")])
const KEEPS_MUCH = { historySegments: 10_000, compactBytes: 2 ** 30 } as const

function openStore(options: Partial<OpenLimiterOptions> = {}) {
  return openLimiter({ path: scratch.file("data"), policy: "10/minute", ...options })
}

/** Makes a folder whose log has so many segments and more. */
async function makeLog(segments: number, options: Partial<OpenLimiterOptions>): Promise<void> {
  const limiter = await openStore(options)
  for (let segment = 0; segment < segments; segment++) {
    await limiter.check(`key ${segment}`)
    // It ends the open segment.
    await limiter.verify()
  }
  await limiter.close()
}

async function exported(): Promise<number> {
  const { code, out } = await sluice("log", "export")
  expect(code).toBe(0)
  return out.trim().split("\n").length
}

test("no command but log compact compacts the folder of a program, however long its log is", async () => {
  const limiter = await openStore(KEEPS_MUCH)
  // More than the 4 MiB past which a folder is compacted that says nothing of it.
  for (let round = 0; round < 20; round++) {
    const keys = Array.from({ length: 500 }, (_, index) => `${round} ${index}`.padEnd(480, "."))
    await Promise.all(keys.map((key) => limiter.check(key)))
  }
  await limiter.close()
  for (const command of ["limit list", "doctor", "log verify", "check a", "limit reset a"]) {
    expect(await sluice(...command.split(" "))).toMatchObject({ code: 0 })
  }
  expect(await exported()).toBeGreaterThan(10_000)
})

test("log compact keeps the history that --history-segments names", async () => {
  await makeLog(30, KEEPS_MUCH)
  expect((await sluice("log", "compact", "--history-segments", "10000")).code).toBe(0)
  expect(await exported()).toBeGreaterThan(30)
  expect((await sluice("log", "compact", "--history-segments", "3")).code).toBe(0)
  expect(await exported()).toBeLessThan(10)
})

test("log compact keeps statistics for as long as --keep-stats names", async () => {
  const early = await openStore({ clock: { now: () => Date.now() - 60 * 86_400_000 }, keepStats: "365d" })
  await early.check("a")
  await early.close()
  await sluice("check", "b")
  const allowed = async () => JSON.parse((await sluice("limit", "status", "a", "--json")).out).stats.totalAllowed
  expect((await sluice("log", "compact", "--keep-stats", "365d")).code).toBe(0)
  expect(await allowed()).toBe(1)
  expect((await sluice("log", "compact")).code).toBe(0)
  expect(await allowed()).toBe(0)
})

test("log compact keeps names unless it is told --no-names", async () => {
  const program = await openStore()
  await program.check("a")
  await program.close()
  const names = async () => {
    const limiter = await openStore()
    const listed = await limiter.list()
    await limiter.close()
    return listed
  }
  expect((await sluice("log", "compact", "--history-segments", "0")).code).toBe(0)
  expect(await names()).toEqual(["a"])
  expect((await sluice("log", "compact", "--history-segments", "0", "--no-names")).code).toBe(0)
  expect(await names()).toEqual([])
})

test("serve keeps and compacts as it is told", async () => {
  using servers = new Servers()
  const upkeep = ["--history-segments", "0", "--compact-bytes", "4096", "--no-names"]
  const { child, url, port } = await servers.serve(...upkeep)
  await raw(port, post("/v1/limits", '{"key":"default","policy":"10/minute"}'), 1)
  const key = "x".repeat(400)
  const checks = Array.from({ length: 40 }, (_, index) => post("/v1/check", `{"key":"${key}${index}"}`)).join("")
  await raw(port, checks, 40)
  await raw(port, post("/v1/log/compact", ""), 1)
  for (const path of ["/v1/top", "/v1/keys"]) {
    const answer = await fetch(`${url}${path}`, { headers: { Authorization: `Bearer ${TOKEN}` } })
    expect([answer.status, await answer.json()]).toEqual([
      404,
      expect.objectContaining({ code: "NAMES_NOT_KEPT", detail: expect.stringContaining("keeps no names") }),
    ])
  }
  let told = ""
  child.stderr!.on("data", (chunk) => {
    told += chunk
  })
  child.kill("SIGTERM")
  await new Promise((resolve) => child.once("exit", resolve))
  expect(told).toBe("")
  const limiter = await openLimiter({ path: servers.scratch.file("data") })
  expect(await limiter.list()).toEqual([])
  let records = 0
  for await (const _ of limiter.records()) records++
  expect(records).toBeLessThan(10)
  await limiter.close()
})
