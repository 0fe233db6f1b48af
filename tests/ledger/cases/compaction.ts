import { expect } from "vitest"
import { Core } from "../../../src/engine/core.js"
import { Ledger } from "../../../src/ledger/ledger.js"
import { recover } from "../../../src/ledger/recovery.js"
import type { LedgerPort } from "../../../src/ledger/sql-port.js"
import { parsePolicy } from "../../../src/policy/parse-policy.js"
import { StoreUnavailable } from "../../../src/types/errors.js"
import type { Step } from "../acts.js"
import { type LedgerCase, START_MS } from "../ledger-case.js"
import { readRows } from "../rows.js"
import { core, fromNowOn, ScriptRun } from "../script-run.js"
import { steppedPort, turn, WatchedPort } from "../watched-port.js"

const HOUR_MS = 3_600_000

/** More than one commit drops. */
const SEGMENTS = 600

const POLICIES = [
  ["3/second", { limit: 20, period: "1m", algorithm: "sliding_window_log" as const }],
  { limit: 4, period: "5s", algorithm: "sliding_window" as const, block: "2s" },
  { limit: 6, period: "6s", algorithm: "token_bucket" as const, refill: { amount: 2, every: "2s" } },
  "2/minute",
]

/** One of everything, on two limits' keys. */
const STEPS: readonly Step[] = Array.from({ length: 6 }, (_, round): Step[] => {
  const limit = round % 3
  return [
    { byMs: 10, act: { verb: "check", limit, key: round, units: 1 } },
    { byMs: 0, act: { verb: "check", limit, key: round, units: 2 } },
    { byMs: 300, act: { verb: "flood", limit, key: round, times: 6, everyMs: 5 } },
    { byMs: 1_000, act: { verb: "settle", receipt: round, units: 1 } },
    { byMs: 1, act: { verb: "charge", limit, key: 1, units: 3 } },
    { byMs: 1, act: { verb: "block", limit, key: 2, durationMs: 700 } },
    { byMs: 0, act: { verb: "check", limit, key: 2, units: 1 } },
    { byMs: 1, act: { verb: round % 2 === 0 ? "unblock" : "reset", limit, key: 2 } },
    { byMs: 5, act: { verb: "define", limit, policy: round } },
  ]
}).flat()

function logBytes(port: LedgerPort): number {
  return readRows(port).reduce((sum, { body }) => sum + body.length, 0)
}

function snapshotBytes(port: LedgerPort): number {
  return readRows(port).reduce((sum, { id, body }) => sum + (id < 0 ? body.length : 0), 0)
}

export const compactionCases: readonly LedgerCase[] = [
  {
    name: "compact() at any point changes no later answer, also after a crash",
    async run(makePort) {
      const script = { policies: POLICIES, steps: STEPS }
      const plain = new ScriptRun(makePort(), script)
      await plain.open()
      await plain.run(STEPS)
      const seen = fromNowOn(plain.seen(), plain.nowMs)
      await plain.close()
      for (let at = 0; at <= STEPS.length; at++) {
        const run = new ScriptRun(makePort(), script, { historySegments: at % 3 })
        await run.open()
        await run.run(STEPS.slice(0, at))
        await run.run([
          { byMs: 0, act: { verb: "compact" } },
          { byMs: 0, act: { verb: "crash" } },
        ])
        await run.run(STEPS.slice(at))
        expect(run.answers, `compacted before step ${at}`).toEqual(plain.answers)
        expect(fromNowOn(run.seen(), run.nowMs), `compacted before step ${at}`).toEqual(seen)
        await run.run([{ byMs: 0, act: { verb: "verify" } }])
        await run.close()
      }
    },
  },
  {
    name: "remove() frees the keys of a limit, also after a compaction",
    async run(makePort) {
      // One that holds nothing of the ledgers before, which is freed when they are collected.
      const own = new Core()
      const ledger = await Ledger.open(makePort(), { core: own, compactBytes: 2 ** 30 })
      const comeAndGo = () => {
        const limit = ledger.define("l", parsePolicy("5/minute"), START_MS)
        for (let key = 0; key < 2_000; key++) ledger.check(limit, `key ${key}`, 1, START_MS)
        ledger.remove(limit, START_MS)
        return own.exports.allocatedBytes()
      }
      const before = comeAndGo()
      expect(comeAndGo()).toBe(before)
      await ledger.compact()
      expect(comeAndGo()).toBe(before)
      expect(comeAndGo()).toBe(before)
      await ledger.close()
    },
  },
  {
    name: "the log is compacted by itself when it has `compactBytes`, and stays bounded",
    async run(makePort) {
      const port = makePort()
      const ledger = await Ledger.open(port, { core, compactBytes: 5_000 })
      const limit = ledger.define("l", parsePolicy("1000000/second"), START_MS)
      let mostBytes = 0
      for (let round = 0; round < 60; round++) {
        for (let check = 0; check < 100; check++) ledger.check(limit, `key ${check % 7}`, 1, START_MS + round)
        await ledger.commit()
        mostBytes = Math.max(
          mostBytes,
          readRows(port).reduce((sum, { body }) => sum + body.length, 0),
        )
      }
      const { coveredSequence, sequence, replayEqualsLive } = await ledger.verify()
      expect(coveredSequence).toBeGreaterThan(sequence / 2)
      expect(replayEqualsLive).toBe(true)
      expect(mostBytes).toBeLessThan(3 * 5_000)
      expect(readRows(port).filter(({ id }) => id > 0 && id <= coveredSequence)).toEqual([])
      expect(limit.openKeys().stats("key 0").totalAllowed).toBe(60 * 15)
      await ledger.close()
    },
  },
  {
    name: "the log follows the keys in use, not those that came and went, however often it is opened anew",
    async run(makePort) {
      const port = makePort()
      const options = { core, keepStatsMs: HOUR_MS }
      let ledger = await Ledger.open(port, options)
      ledger.define("l", parsePolicy("10/minute"), START_MS)
      let mostSaved = 0
      for (let round = 0; round < 300; round++) {
        // No more than 600 keys have statistics of the last hour, and 200 something used.
        const nowMs = START_MS + round * (HOUR_MS / 2)
        for (let key = 0; key < 200; key++) ledger.check(ledger.limit("l")!, `key ${round} ${key}`, 1, nowMs)
        await ledger.commit()
        await turn()
        mostSaved = Math.max(mostSaved, snapshotBytes(port))
        expect(logBytes(port)).toBeLessThan(400_000)
        if (round % 60 !== 59) continue
        expect((await ledger.verify()).replayEqualsLive).toBe(true)
        ledger.abandon()
        ledger = await Ledger.open(port, options)
      }
      expect(mostSaved).toBeGreaterThan(0)
      expect(mostSaved).toBeLessThan(150_000)
      await ledger.close()
    },
  },
  {
    name: "a compaction drops limits that say no more than new ones, where it is told to, and no others",
    async run(makePort) {
      const port = makePort()
      const options = { core, keepStatsMs: HOUR_MS, dropsEmptyLimits: true }
      let ledger = await Ledger.open(port, options)
      const define = (name: string, policy = "10/minute") => ledger.define(name, parsePolicy(policy), START_MS)
      const names = () => ledger.limits.map(({ name }) => name)
      const compactAt = async (nowMs: number) => {
        ledger.check(ledger.limit("steady")!, "a", 1, nowMs)
        await ledger.compact()
        expect((await ledger.verify()).replayEqualsLive).toBe(true)
      }
      define("steady")
      const used = define("used", "10/day")
      const idle = define("idle")
      const blocked = define("blocked")
      const denied = define("denied")
      const { receipt } = ledger.check(idle, "a", 1, START_MS).decision
      ledger.check(used, "a", 10, START_MS)
      ledger.block(blocked, "a", START_MS + 5 * HOUR_MS, START_MS)
      ledger.check(denied, "a", 10, START_MS)
      // Statistics of the last hour are kept, and with them their limits.
      await compactAt(START_MS + HOUR_MS - 1)
      await compactAt(START_MS + HOUR_MS)
      expect(names()).toEqual(["steady", "used", "idle", "blocked", "denied"])
      ledger.check(denied, "a", 1, START_MS + HOUR_MS)
      // The first compaction forgets what there was of them, the next one drops them.
      await compactAt(START_MS + 2 * HOUR_MS)
      expect(names()).toEqual(["steady", "used", "idle", "blocked", "denied"])
      await compactAt(START_MS + 2 * HOUR_MS + 1)
      expect(names()).toEqual(["steady", "used", "blocked", "denied"])
      expect(ledger.limitOf(receipt!)).toBeNull()
      const again = define("idle")
      expect(again.number).toBe(5)
      expect(() => ledger.settle(again, receipt!, 1, START_MS + 2 * HOUR_MS)).toThrow(RangeError)
      expect(ledger.check(again, "a", 10, START_MS + 2 * HOUR_MS + 1).decision.remaining).toBe(0)
      await ledger.close()
      ledger = await Ledger.open(port, { core, keepStatsMs: HOUR_MS })
      await compactAt(START_MS + 30 * HOUR_MS)
      await compactAt(START_MS + 30 * HOUR_MS + 1)
      // Without being told to it drops none.
      expect(names()).toEqual(["steady", "used", "blocked", "denied", "idle"])
      await ledger.close()
      ledger = await Ledger.open(port, options)
      await compactAt(START_MS + 30 * HOUR_MS + 2)
      expect(names()).toEqual(["steady"])
      await ledger.close()
    },
  },
  {
    name: "the log is not compacted by itself before it is twice as long as the snapshot",
    async run(makePort) {
      const ledger = await Ledger.open(makePort(), { core, compactBytes: 2_000 })
      const limit = ledger.define("l", parsePolicy("1000000/second"), START_MS)
      for (let key = 0; key < 2_000; key++) ledger.check(limit, `key ${key}`, 1, START_MS)
      await ledger.compact()
      const { coveredSequence, sequence } = await ledger.verify()
      for (let round = 0; round < 40; round++) {
        for (let check = 0; check < 100; check++) ledger.check(limit, `key ${check}`, 1, START_MS + round)
        await ledger.commit()
      }
      const later = await ledger.verify()
      expect(later.sequence).toBeGreaterThan(sequence + 2)
      expect(later.coveredSequence).toBe(coveredSequence)
      await ledger.close()
    },
  },
  {
    name: "what is written during a compaction counts for the next one",
    async run(makePort) {
      const ledger = await Ledger.open(steppedPort(makePort()), { core, compactBytes: 8_000 })
      const limit = ledger.define("l", parsePolicy("1000000/second"), START_MS)
      const compacted = ledger.compact()
      // It has begun, and covers the definition.
      await turn()
      for (let check = 0; check < 3_000; check++) ledger.check(limit, `key ${check % 7}`, 1, START_MS)
      await compacted
      ledger.check(limit, "a", 1, START_MS)
      await ledger.commit()
      expect((await ledger.verify()).coveredSequence).toBeGreaterThan(1)
      await ledger.close()
    },
  },
  {
    name: "compact() keeps `historySegments` covered segments, and as many after the next one",
    async run(makePort) {
      const port = makePort()
      const ledger = await Ledger.open(port, { core, historySegments: 2 })
      const limit = ledger.define("l", parsePolicy("1000/second"), START_MS)
      const segments = () => readRows(port).flatMap(({ id }) => (id > 0 ? [id] : []))
      const kept: number[][] = []
      for (let round = 0; round < 4; round++) {
        ledger.check(limit, "a", 1, START_MS + round)
        await ledger.compact()
        kept.push(segments())
      }
      // The last one is the open segment.
      expect(kept).toEqual([
        [1, 2],
        [1, 2, 3],
        [2, 3, 4],
        [3, 4, 5],
      ])
      const { records, coveredSequence } = await ledger.verify()
      // Each has a check, and the record that a compaction began.
      expect([records, coveredSequence]).toEqual([4, 4])
      await ledger.close()
      const fewer = await Ledger.open(port, { core, historySegments: 0 })
      await fewer.compact()
      expect(segments()).toHaveLength(1)
      await fewer.close()
    },
  },
  {
    name: "verify() leaves a log without news as it is, and tells its segments",
    async run(makePort) {
      const port = makePort()
      const ledger = await Ledger.open(port, { core })
      expect(await ledger.verify()).toMatchObject({ rows: 2, segments: 1, sequence: 1, replayEqualsLive: true })
      const limit = ledger.define("l", parsePolicy("5/minute"), START_MS)
      ledger.check(limit, "a", 1, START_MS)
      expect(await ledger.verify()).toMatchObject({ rows: 3, segments: 2, sequence: 2, replayEqualsLive: true })
      const rows = readRows(port)
      const isRight = { rows: 3, segments: 2, sequence: 2, records: 2, replayEqualsLive: true }
      for (let look = 0; look < 3; look++) expect(await ledger.verify()).toMatchObject(isRight)
      expect(readRows(port)).toEqual(rows)
      await ledger.compact()
      expect(await ledger.verify()).toMatchObject({ coveredSequence: 2, sequence: 3, replayEqualsLive: true })
      await ledger.close()
    },
  },
  {
    name: "compact() writes a snapshot in as many parts as it needs, and takes the old ones away",
    async run(makePort) {
      const port = makePort()
      const ledger = await Ledger.open(port, { core, partBytes: 500 })
      const limit = ledger.define("l", parsePolicy("5/minute"), START_MS)
      for (let key = 0; key < 40; key++) ledger.check(limit, `key ${key}`, 2, START_MS)
      await ledger.compact()
      const parts = readRows(port).filter(({ id }) => id < 0)
      expect(parts.length).toBeGreaterThan(5)
      for (const { body } of parts) expect(body.length).toBeLessThan(700)
      for (let key = 0; key < 40; key++) ledger.reset(limit, `key ${key}`, START_MS)
      const whole = await Ledger.open(port, { core })
      expect(whole.limit("l")!.openKeys().peek("key 39", 1, START_MS).remaining).toBe(3)
      await whole.compact()
      expect(readRows(port).filter(({ id }) => id < 0)).toHaveLength(1)
      await whole.close()
      const again = await Ledger.open(port, { core })
      expect(again.limit("l")!.openKeys().peek("key 39", 1, START_MS).remaining).toBe(3)
      await again.close()
      ledger.abandon()
    },
  },
  {
    name: "compact() puts a snapshot into force in one transaction, and takes what it replaces away in others",
    async run(makePort) {
      const port = makePort()
      const watched = new WatchedPort(steppedPort(port))
      const ledger = await Ledger.open(watched, { core, partBytes: 100 })
      const limit = ledger.define("l", parsePolicy("5/minute"), START_MS)
      for (let key = 0; key < 60; key++) ledger.check(limit, `key ${key}`, 2, START_MS)
      for (let round = 0; round < 2; round++) {
        await ledger.commit()
        const { commits } = watched
        const inForce = new Set<number>()
        let isOver = false
        const over = ledger.compact().finally(() => {
          isOver = true
        })
        while (!isOver) {
          await turn()
          // Whenever it is looked at, the file holds the whole state.
          const { state, coveredSequence } = await recover(port, core, readRows(port))
          expect(state.limit("l")!.size).toBe(60)
          inForce.add(coveredSequence)
          state.free()
        }
        await over
        expect([...inForce].sort()).toEqual([round, round + 1])
        // The begin, and more than ten parts.
        expect(watched.commits - commits).toBeGreaterThan(11)
        const ids = readRows(port).flatMap(({ id }) => (id < 0 ? [id] : []))
        expect(new Set(ids.map((id) => Math.floor(-id / 65_536)))).toEqual(new Set([round + 1]))
      }
      await ledger.close()
    },
  },
  {
    name: "opening drops the covered segments that a compaction left when it broke off",
    async run(makePort) {
      const port = makePort()
      const options = { core, compactBytes: Number.POSITIVE_INFINITY }
      const breaks = { atDrop: Number.POSITIVE_INFINITY, drops: 0 }
      const breaking: LedgerPort = {
        sql: {
          rows: (statement, ...values) => port.sql.rows(statement, ...values),
          transaction: (work) => port.sql.transaction(work),
          run(statement, ...values) {
            if (statement.startsWith("DELETE") && ++breaks.drops >= breaks.atDrop) throw new Error("the disk is gone")
            port.sql.run(statement, ...values)
          },
        },
        sha256: (bytes) => port.sha256(bytes),
        defer: (work) => port.defer(work),
        after: (ms, work) => port.after(ms, work),
      }
      const ledger = await Ledger.open(breaking, options)
      const limit = ledger.define("l", parsePolicy("1000/day"), START_MS)
      // Each fills a segment.
      const keys = Array.from({ length: 8 }, (_, key) => `${key}`.repeat(500))
      for (let segment = 1; segment <= SEGMENTS; segment++) {
        for (const key of keys) ledger.check(limit, key, 1, START_MS)
        await ledger.commit()
      }
      // Not of the commit that puts the snapshot in force, but of one that only drops.
      breaks.atDrop = SEGMENTS
      await expect(ledger.compact()).rejects.toBeInstanceOf(StoreUnavailable)
      ledger.abandon()
      const { oldestSequence } = await recover(port, core, readRows(port))
      const covered = () => readRows(port).filter(({ id }) => id > 0 && id < oldestSequence).length
      expect(covered()).toBeGreaterThan(0)
      expect(covered()).toBeLessThan(SEGMENTS)
      const again = await Ledger.open(port, options)
      expect(covered()).toBe(0)
      again.check(again.limit("l")!, keys[0]!, 1, START_MS)
      // This one knows nothing of what was covered before.
      await again.compact()
      await again.close()
      const last = await Ledger.open(port, options)
      expect(last.limit("l")!.openKeys().peek(keys[0]!, 0, START_MS).remaining).toBe(1_000 - SEGMENTS - 1)
      expect((await last.verify()).replayEqualsLive).toBe(true)
      await last.close()
    },
  },
  {
    name: "a check that comes during a compaction is answered after its own commit, long before the compaction ends",
    async run(makePort) {
      const port = makePort()
      const ledger = await Ledger.open(port, { core, partBytes: 1_000 })
      const limit = ledger.define("l", parsePolicy("5/minute"), START_MS)
      for (let key = 0; key < 1_000; key++) ledger.check(limit, `key ${key}`, 1, START_MS)
      await ledger.commit()
      const order: string[] = []
      const over = ledger.compact().then(() => order.push("compacted"))
      for (let check = 0; check < 10; check++) {
        ledger.check(limit, `key ${check * 97}`, 1, START_MS)
        await ledger.commit()
        order.push("checked")
      }
      await over
      expect(order).toEqual([...Array(10).fill("checked"), "compacted"])
      expect((await ledger.verify()).replayEqualsLive).toBe(true)
      await ledger.close()
    },
  },
  {
    name: "compact() tells the platform when it begins large writes and when that is over, also where it fails",
    async run(makePort) {
      const told: string[] = []
      const { sql, sha256, sha256Now, defer, after } = makePort()
      const breaks = { writes: 0, at: Number.POSITIVE_INFINITY }
      const port: LedgerPort = {
        sql: {
          rows: (statement, ...values) => sql.rows(statement, ...values),
          transaction: (work) => sql.transaction(work),
          run(statement, ...values) {
            if (++breaks.writes >= breaks.at) throw new Error("the disk is gone")
            sql.run(statement, ...values)
          },
        },
        sha256,
        ...(sha256Now && { sha256Now }),
        defer,
        after,
        beginsLargeWrites: () => void told.push("begins"),
        endsLargeWrites: () => void told.push("ends"),
      }
      const ledger = await Ledger.open(port, { core })
      await ledger.compact()
      expect(told).toEqual(["begins", "ends"])
      breaks.at = breaks.writes + 2
      await expect(ledger.compact()).rejects.toBeInstanceOf(StoreUnavailable)
      expect(told).toEqual(["begins", "ends", "begins", "ends"])
      await ledger.close().catch(() => undefined)
    },
  },
  {
    name: "compact(), verify(), close() and abandon() during a compaction: the first three wait, the last ends it",
    async run(makePort) {
      const port = makePort()
      const open = () => Ledger.open(steppedPort(port), { core, partBytes: 200 })
      const ledger = await open()
      const limit = ledger.define("l", parsePolicy("5/minute"), START_MS)
      for (let key = 0; key < 200; key++) ledger.check(limit, `key ${key}`, 1, START_MS)
      await ledger.commit()
      const order: string[] = []
      const note = (what: string) => () => order.push(what)
      const all = [ledger.compact().then(note("first"))]
      await turn()
      // Both of these mean one that begins from here on.
      all.push(ledger.compact().then(note("second")), ledger.compact().then(note("second")))
      all.push(
        ledger
          .verify()
          .then(({ replayEqualsLive, coveredSequence }) => order.push(`${replayEqualsLive} ${coveredSequence}`)),
      )
      all.push(ledger.close().then(note("closed")))
      await Promise.all(all)
      expect(order).toEqual(["first", "second", "second", "true 2", "closed"])
      const left = await open()
      const over = left.compact()
      for (let turns = 0; turns < 12; turns++) await turn()
      left.abandon()
      await expect(over).rejects.toBeInstanceOf(StoreUnavailable)
      expect((await recover(port, core, readRows(port))).leftIds).not.toEqual([])
      const again = await open()
      expect((await recover(port, core, readRows(port))).leftIds).toEqual([])
      expect(again.limit("l")!.size).toBe(200)
      expect((await again.verify()).replayEqualsLive).toBe(true)
      await again.close()
    },
  },
]
