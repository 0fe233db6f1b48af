import { spawn } from "node:child_process"
import { closeSync, openSync, readFileSync } from "node:fs"
import { setTimeout as sleep } from "node:timers/promises"
import { openLimiter, type SyncMode } from "sluice/embedded"
import { afterAll, describe, expect, test } from "vitest"
import { ROOT } from "../conformance/run-in-runtime.js"
import { removeFolders, temporaryFolder } from "./temporary-folder.js"

const { SLUICE_CRASH_ROUNDS } = process.env
/** Rounds of load, crash and recovery in each mode; more by the environment. */
const ROUNDS = Number(SLUICE_CRASH_ROUNDS ?? 24)
const ROUND_MS_MOST = 20_000
const LOAD_MS_MOST = 60
const CALLERS = 24
const AHEAD_UNITS = 50
const FLUSH_EVERY_RECORDS = 40
const COST_MOST = 3
const LIMIT = 2 ** 31

afterAll(removeFolders)

interface Options {
  readonly path: string
  readonly sync: SyncMode
  readonly callers: number
  readonly compactBytes: number
  readonly aheadUnits?: number
  readonly flushEveryRecords?: number
  /** Whether its event loop has other work too. */
  readonly isBusy?: boolean
}

/** Units by key. */
type Units = Map<string, number>

function add(units: Units, key: string, cost: number): void {
  units.set(key, (units.get(key) ?? 0) + cost)
}

/** Loads a store in a process of its own, kills it at a random moment, and tells what it was asked and what it told. */
async function crashUnderLoad(options: Options): Promise<{ asked: Units; told: Units; admissions: number }> {
  const toldFile = `${options.path}.told`
  const file = openSync(toldFile, "w")
  const child = spawn(process.execPath, ["tests/embedded/programs/load.mjs", JSON.stringify(options)], {
    cwd: ROOT,
    // A file takes each line at once, where a pipe may be full.
    stdio: ["ignore", file, "inherit", "ipc"],
  })
  closeSync(file)
  const ended = new Promise((resolve) => child.once("close", resolve))
  await Promise.race([new Promise((resolve) => child.once("message", resolve)), ended])
  await sleep(Math.random() * LOAD_MS_MOST)
  child.kill("SIGKILL")
  await ended
  expect(child.signalCode).toBe("SIGKILL")
  const output = readFileSync(toldFile, "utf8")
  const asked: Units = new Map()
  const told: Units = new Map()
  let admissions = 0
  // The last line may be cut.
  for (const line of output.split("\n").slice(0, -1)) {
    const [sign, key, cost] = line.split(" ") as [string, string, string]
    add(sign === "?" ? asked : told, key, Number(cost))
    if (sign === "!") admissions += 1
  }
  return { asked, told, admissions }
}

describe.each([
  { sync: "always", options: {}, lostMost: 0, extraMost: 0 },
  { sync: "always", options: { isBusy: true }, lostMost: 0, extraMost: 0 },
  { sync: "ahead", options: { aheadUnits: AHEAD_UNITS }, lostMost: 0, extraMost: AHEAD_UNITS },
  {
    sync: "batch",
    options: { flushEveryRecords: FLUSH_EVERY_RECORDS },
    lostMost: FLUSH_EVERY_RECORDS * COST_MOST,
    extraMost: 0,
  },
] as const)("a process under load with sync $sync and $options", ({ sync, options, lostMost, extraMost }) => {
  test(
    `killed in ${ROUNDS} rounds keeps what it promises`,
    async () => {
      const path = temporaryFolder()
      const used: Units = new Map()
      let admissions = 0
      for (let round = 1; round <= ROUNDS; round++) {
        const crash = await crashUnderLoad({ path, sync, callers: CALLERS, compactBytes: 4_096, ...options })
        admissions += crash.admissions
        // Its lock died with it.
        await using limiter = await openLimiter({ path })
        expect((await limiter.verify()).replayEqualsLive, `round ${round}`).toBe(true)
        let lost = 0
        for (const key of crash.asked.keys()) {
          const before = used.get(key) ?? 0
          const { remaining } = await limiter.status(key, { limit: "load" })
          const now = LIMIT - remaining - before
          const told = crash.told.get(key) ?? 0
          expect(now, `${key} in round ${round}: no more than was asked`).toBeLessThanOrEqual(
            crash.asked.get(key)! + extraMost + 1,
          )
          lost += Math.max(0, told - now)
          used.set(key, LIMIT - remaining)
        }
        expect(lost, `units lost in round ${round}`).toBeLessThanOrEqual(lostMost)
      }
      // The load was one.
      expect(admissions).toBeGreaterThan(ROUNDS * 5)
    },
    ROUNDS * ROUND_MS_MOST,
  )
})
