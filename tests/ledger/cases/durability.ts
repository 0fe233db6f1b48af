import fc from "fast-check"
import { expect } from "vitest"
import { Ledger } from "../../../src/ledger/ledger.js"
import type { LedgerOptions } from "../../../src/ledger/ledger-options.js"
import type { LedgerPort } from "../../../src/ledger/sql-port.js"
import { parsePolicy } from "../../../src/policy/parse-policy.js"
import type { PolicyInput } from "../../../src/policy/policy.js"
import { handPort } from "../hand-port.js"
import { type LedgerCase, START_MS } from "../ledger-case.js"
import { core } from "../script-run.js"
import { turn } from "../watched-port.js"

const KEYS = ["a", "b", "c"]
const POLICIES: readonly PolicyInput[] = [
  "50/minute",
  "40/10s",
  { limit: 60, period: "1m", algorithm: "fixed_window" },
  { limit: 60, period: "1m", algorithm: "sliding_window" },
  { limit: 30, period: "20s", algorithm: "sliding_window_log" },
  { limit: 40, period: "20s", algorithm: "token_bucket", refill: { amount: 10, every: "5s" } },
  ["20/second", "90/minute"],
]

/** A step: a check, or time that passes, or a turn of the event loop, which a commit may use. */
type Step =
  | { readonly verb: "check"; readonly key: number; readonly cost: number }
  | { readonly verb: "pass"; readonly ms: number }
  | { readonly verb: "turn" }
  | { readonly verb: "compact" }
  | { readonly verb: "flush" }
  | { readonly verb: "timers" }
  | { readonly verb: "reopen" }

const steps = fc.array(
  fc.oneof(
    {
      weight: 12,
      arbitrary: fc.record({
        verb: fc.constant("check" as const),
        key: fc.nat({ max: 2 }),
        cost: fc.constantFrom(1, 1, 1, 2, 5),
      }),
    },
    { weight: 2, arbitrary: fc.record({ verb: fc.constant("pass" as const), ms: fc.nat({ max: 3_000 }) }) },
    { weight: 3, arbitrary: fc.constant<Step>({ verb: "turn" }) },
    {
      weight: 1,
      arbitrary: fc.record({
        verb: fc.constantFrom("compact" as const, "flush" as const, "timers" as const, "reopen" as const),
      }),
    },
  ) as fc.Arbitrary<Step>,
  { maxLength: 80, size: "max" },
)

/**
 * Runs steps on a ledger of a mode and, beside it, on one in `always` that is told only what was told to callers. Then
 * crashes the first.
 */
async function crashAfter(
  { options, policy, steps: all }: { options: LedgerOptions; policy: PolicyInput; steps: readonly Step[] },
  makePort: () => LedgerPort,
  truth: Ledger,
) {
  const disk = makePort()
  const port = handPort(disk)
  let nowMs = START_MS
  const open = () => Ledger.open(port, { core, ...options, openedAtMs: nowMs })
  let ledger = await open()
  ledger.define("l", parsePolicy(policy), START_MS)
  truth.define("l", parsePolicy(policy), START_MS)
  await ledger.commit()
  const waiting: Promise<void>[] = []
  const told = { records: 0 }
  // In the order of the checks: what waits is told later than what was asked after it and need not.
  const charges: (() => void)[] = []
  for (const [index, step] of all.entries()) {
    if (step.verb === "pass") nowMs += step.ms
    else if (step.verb === "turn") await turn()
    else if (step.verb === "compact") await ledger.compact()
    else if (step.verb === "flush") await ledger.commit()
    else if (step.verb === "timers") port.runDue()
    else if (step.verb === "reopen") {
      await ledger.close()
      ledger = await open()
    } else if (step.verb === "check") {
      const key = KEYS[step.key]!
      const atMs = nowMs
      const { decision, needsCommit } = ledger.check(ledger.limit("l")!, key, step.cost, atMs)
      if (!decision.allowed) continue
      const tell = () => {
        charges[index] = () => truth.charge(truth.limit("l")!, key, step.cost, atMs)
        told.records += 1
      }
      if (needsCommit) waiting.push(ledger.commit().then(tell, () => undefined))
      else tell()
    }
  }
  port.die()
  // What is not written by now is never told.
  await Promise.all(waiting)
  for (const charge of charges) charge?.()
  const again = await Ledger.open(disk, { core, ...options, openedAtMs: nowMs })
  ledger.abandon()
  return { again, nowMs, told }
}

/** A ledger with one limit, of a process that can die, and whose timers run when they are told to. */
async function openOne(disk: LedgerPort, policy: string, options: LedgerOptions) {
  const port = handPort(disk)
  const ledger = await Ledger.open(port, { core, openedAtMs: START_MS, ...options })
  return { port, ledger, limit: ledger.define("l", parsePolicy(policy), START_MS) }
}

export const durabilityCases: readonly LedgerCase[] = [
  {
    name: "sync ahead: after a crash a key has at most one grant less than was told, and never more",
    run: (makePort) =>
      fc.assert(
        fc.asyncProperty(
          steps,
          fc.constantFrom(...POLICIES),
          fc.constantFrom(1, 4, 9),
          async (all, policy, aheadUnits) => {
            const truth = await Ledger.open(memoryPort(), { core })
            const run = { options: { sync: "ahead", aheadUnits } as const, policy, steps: all }
            const { again, nowMs } = await crashAfter(run, makePort, truth)
            const granted = new Map<string, number>()
            for await (const { record } of again.records()) {
              if (record.op === "ahead") granted.set(record.key, record.units)
            }
            expect([...granted.values()].every((units) => units === aheadUnits || units === 0)).toBe(true)
            for (const key of KEYS) {
              const has = again.limit("l")!.openKeys().status(key, nowMs).rules
              const should = truth.limit("l")!.openKeys().status(key, nowMs).rules
              for (const [index, { remaining }] of should.entries()) {
                expect(has[index]!.remaining, `what ${key} has`).toBeLessThanOrEqual(remaining)
                // One more, since what remains is told rounded down.
                expect(has[index]!.remaining, `what ${key} has`).toBeGreaterThanOrEqual(
                  Math.max(0, remaining - aheadUnits - 1),
                )
              }
            }
            expect((await again.verify()).replayEqualsLive).toBe(true)
            again.abandon()
            truth.abandon()
          },
        ),
        { numRuns: 150 },
      ),
  },
  {
    name: "sync ahead: a key that is asked again is granted units by one record, and checks within them wait for nothing",
    async run(makePort) {
      const disk = makePort()
      const { port, ledger, limit } = await openOne(disk, "100/hour", { sync: "ahead", aheadUnits: 10 })
      const waits = () => ledger.check(limit, "a", 1, START_MS).needsCommit
      for (let check = 0; check < 2; check++) {
        expect(waits()).toBe(true)
        await ledger.commit()
      }
      expect(Array.from({ length: 10 }, waits)).toEqual(new Array(10).fill(false))
      // The grant is used up, and nothing of it is in the file yet.
      expect(waits()).toBe(true)
      await ledger.commit()
      expect(waits()).toBe(false)
      port.die()
      const again = await Ledger.open(disk, { core, sync: "ahead", aheadUnits: 10, openedAtMs: START_MS })
      ledger.abandon()
      // 13 were in the file; the grant of 10 is lost with the 14th.
      expect(again.limit("l")!.openKeys().peek("a", 0, START_MS).remaining).toBe(100 - 13 - 10)
      await again.close()
      const closed = await Ledger.open(disk, { core, openedAtMs: START_MS })
      expect(closed.limit("l")!.openKeys().peek("a", 0, START_MS).remaining).toBe(100 - 13 - 10)
      await closed.close()
    },
  },
  {
    name: "sync ahead: a key that is asked now and then is charged what it was told, however often the process ends between",
    async run(makePort) {
      const disk = makePort()
      const policy = parsePolicy("200/hour")
      let nowMs = START_MS
      for (let check = 0; check < 240; check++) {
        const ledger = await Ledger.open(handPort(disk), { core, sync: "ahead", openedAtMs: nowMs })
        const { decision } = ledger.check(ledger.define("l", policy, nowMs), "a", 1, nowMs)
        expect({ check, allowed: decision.allowed }).toEqual({ check, allowed: true })
        await ledger.commit()
        ledger.abandon()
        nowMs += 30_000
      }
    },
  },
  {
    name: "sync ahead: a denial is no reason to write when grants are looked for that nobody draws on",
    async run(makePort) {
      const { port, ledger, limit } = await openOne(makePort(), "1/hour", { sync: "ahead" })
      for (let check = 0; check < 2; check++) ledger.check(limit, "a", 1, START_MS)
      await ledger.commit()
      ledger.check(limit, "a", 1, START_MS)
      const { commits } = ledger
      for (let look = 0; look < 3; look++) {
        port.runDue()
        await turn()
      }
      expect(ledger.commits).toBe(commits)
      await ledger.close()
      expect(port.due).toEqual([])
    },
  },
  {
    name: "sync ahead: the log is closed after a compaction took the last grant back, also while other keys come",
    async run(makePort) {
      const { port, ledger, limit } = await openOne(makePort(), "1000/hour", { sync: "ahead" })
      for (let check = 0; check < 2; check++) ledger.check(limit, "a", 1, START_MS)
      await ledger.compact()
      ledger.check(limit, "b", 1, START_MS)
      port.runDue()
      const [last] = await ledger.lastRecords(1, ({ op }) => op === "open" || op === "ahead" || op === "close")
      expect(last?.op).toBe("close")
      await ledger.close()
    },
  },
  {
    name: "sync ahead: grants of a limit that was removed, and of a ledger that was closed, are let go without a word",
    async run(makePort) {
      const { port, ledger, limit: gone } = await openOne(makePort(), "1000/hour", { sync: "ahead" })
      const kept = ledger.define("kept", parsePolicy("1000/hour"), START_MS)
      for (const limit of [gone, gone, kept, kept]) ledger.check(limit, "a", 1, START_MS)
      ledger.remove(gone, START_MS)
      await ledger.commit()
      port.runDue()
      ledger.check(kept, "a", 1, START_MS)
      port.runDue()
      await ledger.commit()
      expect((await ledger.verify()).replayEqualsLive).toBe(true)
      await ledger.close()
      port.runDue()
      expect(port.due).toEqual([])
    },
  },
  {
    name: "sync ahead: the grant of a key that is asked no more is taken back, and the last ones close the log",
    async run(makePort) {
      const disk = makePort()
      const { port, ledger, limit } = await openOne(disk, "1000/hour", { sync: "ahead" })
      const use = async (key: string) => {
        for (let unit = 0; unit < 10; unit++)
          if (ledger.check(limit, key, 1, START_MS).needsCommit) await ledger.commit()
      }
      const passTime = async () => {
        port.runDue()
        // What was taken back is written without anybody asking for it.
        await turn()
      }
      const granted = async () => {
        const records = await ledger.lastRecords(9, ({ op }) => op === "open" || op === "ahead" || op === "close")
        return records.map((record) => [
          record.op,
          "key" in record ? record.key : null,
          "units" in record && record.units,
        ])
      }
      await use("a")
      await use("b")
      await passTime()
      await use("a")
      expect(await granted()).toEqual([
        ["ahead", "b", 64],
        ["ahead", "a", 64],
        ["open", null, false],
      ])
      await passTime()
      expect((await granted())[0]).toEqual(["ahead", "b", 0])
      await passTime()
      expect((await granted())[0]).toEqual(["close", null, false])
      // Nobody is to be looked for any more.
      expect(port.due).toEqual([])
      ledger.abandon()
      const again = await Ledger.open(disk, { core, sync: "ahead", openedAtMs: START_MS })
      const keys = again.limit("l")!.openKeys()
      // No number was skipped either.
      expect(keys.charges).toBe(30)
      expect(["a", "b"].map((key) => keys.peek(key, 0, START_MS).remaining)).toEqual([980, 990])
      expect((await again.verify()).replayEqualsLive).toBe(true)
      await again.close()
    },
  },
  ...[0, 300].map(
    (unwritten): LedgerCase => ({
      name: `sync ahead: a tighter policy makes a grant smaller, with ${unwritten} told units that are not in the file`,
      async run(makePort) {
        const disk = makePort()
        const { port, ledger, limit } = await openOne(disk, "100000/hour", { sync: "ahead" })
        const waits = () => ledger.check(limit, "a", 1, START_MS).needsCommit
        for (let checks = 0; checks < 20_000; checks++) if (waits()) await ledger.commit()
        ledger.reset(limit, "a", START_MS)
        await ledger.commit()
        expect(Array.from({ length: unwritten }, waits)).not.toContain(true)
        ledger.define("l", parsePolicy("1000/hour"), START_MS)
        // What is told before the smaller grant is in the file must fit into it together with what was told before.
        let told = unwritten
        while (told < 500 && !waits()) told += 1
        expect(told).toBe(Math.max(unwritten, 100))
        await ledger.commit()
        const written = told + 1
        while (told < 900 && !waits()) told += 1
        expect(told + 1 - written).toBe(100)
        port.die()
        const again = await Ledger.open(disk, { core, sync: "ahead", openedAtMs: START_MS })
        ledger.abandon()
        // With the unit that waited, and one more, since what fits is told rounded down.
        expect(again.limit("l")!.openKeys().peek("a", 0, START_MS).remaining).toBe(1_000 - written - 100)
        expect((await again.verify()).replayEqualsLive).toBe(true)
        await again.close()
      },
    }),
  ),
  {
    name: "sync ahead: a grant of which half is used before it is written doubles, to a tenth of what may be used at once",
    async run(makePort) {
      const { ledger, limit } = await openOne(makePort(), "2000/hour", { sync: "ahead" })
      let waits = 0
      for (let checks = 0; checks < 1_000; checks++) {
        const { needsCommit } = ledger.check(limit, "a", 1, START_MS)
        if (needsCommit) waits += 1
        if (needsCommit) await ledger.commit()
        await turn()
      }
      // The second waits for its grant; half of 64, 128 are used before each doubles, then half of 200 each time.
      expect(waits).toBe(2)
      expect(ledger.commits).toBeLessThanOrEqual(1 + 2 + 2 + 10)
      await ledger.close()
    },
  },
  {
    name: "sync ahead: a grant that a compaction took back is granted again as large as it was",
    async run(makePort) {
      const { ledger, limit } = await openOne(makePort(), "1000/hour", { sync: "ahead" })
      const use = async (units: number) => {
        for (let unit = 0; unit < units; unit++) {
          if (ledger.check(limit, "a", 1, START_MS).needsCommit) await ledger.commit()
        }
      }
      await use(200)
      await ledger.compact()
      await use(1)
      const [last] = await ledger.lastRecords(1, ({ op }) => op === "ahead")
      expect(last).toMatchObject({ key: "a", units: 100 })
      await ledger.close()
    },
  },
  {
    name: "sync ahead: close() takes the grants back, so that the next one finds what was told",
    async run(makePort) {
      const disk = makePort()
      const { ledger, limit } = await openOne(disk, "1000/hour", { sync: "ahead" })
      for (let check = 0; check < 200; check++) {
        if (ledger.check(limit, "a", 1, START_MS).needsCommit) await ledger.commit()
      }
      await ledger.close()
      for (const sync of ["ahead", "batch", "always"] as const) {
        const again = await Ledger.open(disk, { core, sync, openedAtMs: START_MS })
        expect(again.limit("l")!.openKeys().peek("a", 0, START_MS).remaining, sync).toBe(800)
        expect((await again.verify()).replayEqualsLive).toBe(true)
        await again.close()
      }
    },
  },
  {
    name: "sync batch: a crash forgets at most `flushEveryRecords`, and nothing that was flushed",
    run: (makePort) =>
      fc.assert(
        fc.asyncProperty(steps, fc.constantFrom(1, 3, 10), async (all, flushEveryRecords) => {
          const truth = await Ledger.open(memoryPort(), { core })
          const options = { sync: "batch", flushEveryRecords } as const
          const { again, told } = await crashAfter({ options, policy: "1000/hour", steps: all }, makePort, truth)
          const kept = KEYS.reduce((sum, key) => sum + again.limit("l")!.openKeys().stats(key).totalAllowed, 0)
          expect(told.records - kept).toBeLessThanOrEqual(flushEveryRecords)
          expect((await again.verify()).replayEqualsLive).toBe(true)
          again.abandon()
          truth.abandon()
        }),
        { numRuns: 100 },
      ),
  },
  {
    name: "sync batch: what was told is committed when its time is up",
    async run(makePort) {
      const { port, ledger, limit } = await openOne(makePort(), "1000/hour", { sync: "batch" })
      await ledger.commit()
      expect(port.due).toHaveLength(0)
      for (let check = 0; check < 5; check++) {
        expect(ledger.check(limit, "a", 1, START_MS).needsCommit).toBe(false)
      }
      expect(port.due).toHaveLength(1)
      const { commits } = ledger
      port.due.pop()!()
      await ledger.commit()
      expect(ledger.commits).toBe(commits + 1)
      ledger.check(limit, "a", 1, START_MS)
      expect(port.due).toHaveLength(1)
      await ledger.close()
      // A timer that comes after the end does nothing.
      port.due.pop()!()
    },
  },
  ...(["admission", "denial"] as const).map(
    (kind): LedgerCase => ({
      name: `sync batch: what was told is committed by the next ${kind} after its time, also where no timer runs`,
      async run(makePort) {
        const { port, ledger, limit } = await openOne(makePort(), "10/day", { sync: "batch" })
        await ledger.commit()
        const { commits } = ledger
        const checkAt = (ms: number) => ledger.check(limit, "a", kind === "denial" ? 7 : 1, START_MS + ms)
        for (const ms of [0, 99]) checkAt(ms)
        await turn()
        expect(ledger.commits).toBe(commits)
        expect(checkAt(100)).toMatchObject({ decision: { allowed: kind === "admission" }, needsCommit: false })
        await turn()
        expect(ledger.commits).toBe(commits + 1)
        // One timer is enough, and the next record has its own time.
        ledger.check(limit, "a", 1, START_MS + 150)
        expect(port.due).toHaveLength(1)
        checkAt(249)
        await turn()
        expect(ledger.commits).toBe(commits + 1)
        checkAt(250)
        await turn()
        expect(ledger.commits).toBe(commits + 2)
        await ledger.close()
      },
    }),
  ),
]

/** A store for the truth: rows in memory, since a platform may have one database only. */
function memoryPort(): LedgerPort {
  return {
    sql: {
      run: () => {},
      rows: () => [],
      transaction: (work) => work(),
    },
    sha256: () => new Uint8Array(32),
    defer: (work) => {
      setTimeout(work, 0)
    },
    after: () => {},
  }
}
