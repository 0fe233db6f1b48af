import { expect } from "vitest"
import { Core } from "../../../src/engine/core.js"
import { Ledger } from "../../../src/ledger/ledger.js"
import type { LedgerOptions } from "../../../src/ledger/ledger-options.js"
import type { LedgerPort, LogRow } from "../../../src/ledger/sql-port.js"
import { parsePolicy } from "../../../src/policy/parse-policy.js"
import { StoreCorrupt, StoreUnavailable } from "../../../src/types/errors.js"
import { type LedgerCase, type MakePort, START_MS } from "../ledger-case.js"
import { readRows, writeRow } from "../rows.js"
import { core } from "../script-run.js"
import { interruptedPort } from "../watched-port.js"

const HOUR_MS = 3_600_000
const KEYS = 600
const LONG_AGO_MS = START_MS - 3 * HOUR_MS
/** No compaction begins by itself. */
const COMPACT_BYTES = 2 ** 30

const POLICIES = {
  counted: "1000/day",
  logged: { limit: 20, period: "1h", algorithm: "sliding_window_log" },
  blocking: { limit: 4, period: "5s", block: "2s" },
  untouched: "1000/hour",
  closing: "1000/minute",
  gone: "5/minute",
} as const
type Name = keyof typeof POLICIES

/** A ledger that holds some of everything, of which a snapshot tells a part. */
async function fullLedger(port: LedgerPort, options: LedgerOptions): Promise<Ledger> {
  const ledger = await Ledger.open(port, { core, names: true, compactBytes: COMPACT_BYTES, ...options })
  const names = Object.keys(POLICIES) as Name[]
  for (const name of names) ledger.define(name, parsePolicy(POLICIES[name]), LONG_AGO_MS)
  const checkAll = () => {
    for (const name of names) {
      for (let key = 0; key < KEYS; key++) ledger.check(ledger.limit(name)!, `key ${key}`, 1, START_MS)
    }
  }
  checkAll()
  for (const name of names) {
    const limit = ledger.limit(name)!
    for (let key = 0; key < 20; key++) {
      const { receipt } = ledger.check(limit, `key ${key}`, 1, START_MS, `call ${key}`).decision
      ledger.settle(limit, receipt!, 1, START_MS)
    }
    for (let key = 30; key < 40; key++) ledger.reset(limit, `key ${key}`, START_MS)
    ledger.block(limit, "key 50", START_MS + HOUR_MS, START_MS)
  }
  await ledger.compact()
  // A change of the policy closes a receipt that was settled, and is held until a compaction forgets it.
  const { receipt } = ledger.check(ledger.limit("closing")!, "old", 1, LONG_AGO_MS).decision
  expect(ledger.settle(ledger.limit("closing")!, receipt!, 1, LONG_AGO_MS)).toBe(true)
  ledger.define("closing", parsePolicy("1000/day"), START_MS - 1)
  checkAll()
  await ledger.commit()
  return ledger
}

/** What a caller does between two turns, and what it is told. */
function actAt(ledger: Ledger, turn: number): unknown {
  const nowMs = START_MS + turn
  const told: unknown[] = []
  for (const name of ["counted", "logged", "blocking"]) {
    const limit = ledger.limit(name)!
    for (const key of [`key ${(turn * 37) % KEYS}`, `new ${turn}`]) {
      const { allowed, remaining, receipt } = ledger.check(limit, key, 2, nowMs, `call ${turn % 30}`).decision
      told.push(allowed, remaining)
      if (receipt !== undefined) told.push(ledger.settle(limit, receipt, 1, nowMs))
    }
    told.push(ledger.check(limit, "key 50", 1, nowMs).decision.reason)
    told.push(ledger.reset(limit, `key ${(turn * 11) % KEYS}`, nowMs))
    ledger.charge(limit, `key ${(turn * 13) % KEYS}`, 1, nowMs)
    ledger.block(limit, `key ${(turn * 17) % KEYS}`, nowMs + 100, nowMs)
    told.push(limit.openKeys().stats(`key ${(turn * 19) % KEYS}`).totalAllowed)
  }
  if (turn === 1) {
    const limit = ledger.limit("logged")!
    told.push(
      ledger.askUnder(limit, parsePolicy("1/hour"), nowMs, (asked) => asked.openKeys().peek("key 1", 1, nowMs).allowed),
    )
  }
  // The one keeps the cells, the other carries what was used over to others.
  if (turn === 2) ledger.define("counted", parsePolicy("900/day"), nowMs)
  if (turn === 3) ledger.define("blocking", parsePolicy("7/minute"), nowMs)
  if (turn === 4) ledger.remove(ledger.limit("gone")!, nowMs)
  if (turn === 5) ledger.check(ledger.define("gone", parsePolicy("6/minute"), nowMs), "key 1", 1, nowMs)
  if (turn % 3 === 0) ledger.commit().catch(() => undefined)
  return told
}

async function withLedger(
  makePort: MakePort,
  options: LedgerOptions,
  use: (ledger: Ledger, port: LedgerPort) => Promise<void>,
): Promise<void> {
  const port = makePort()
  const ledger = await fullLedger(port, options)
  await use(ledger, port)
  await ledger.close()
  const again = await Ledger.open(port, { core, names: true, compactBytes: COMPACT_BYTES })
  expect((await again.verify()).replayEqualsLive).toBe(true)
  await again.close()
}

/** The port of a ledger that does something between the turns of its verification, once `then.act` is set. */
function interrupted(makePort: MakePort) {
  const then: { act: ((turn: number) => void) | null; turns: number } = { act: null, turns: 0 }
  const make = () =>
    interruptedPort(makePort(), () => {
      then.act?.(then.turns++)
    })
  return { then, make }
}

const inEachMode = (["always", "ahead", "batch"] as const).map((sync): LedgerCase => {
  return {
    name: `verify() in turns finds the state of its begin, and changes no answer of those between, sync ${sync}`,
    async run(makePort) {
      const { then, make } = interrupted(makePort)
      const told: unknown[] = []
      await withLedger(make, { sync }, async (ledger) => {
        then.act = (turn) => told.push(actAt(ledger, turn))
        const found = await ledger.verify()
        then.act = null
        expect(found.replayEqualsLive).toBe(true)
        expect(found.coveredSequence).toBeGreaterThan(0)
        expect(told.length).toBeGreaterThan(20)
        const later = await ledger.verify()
        expect(later.replayEqualsLive).toBe(true)
        expect(later.records).toBeGreaterThan(found.records)
      })
      await withLedger(makePort, { sync }, async (ledger) => {
        for (const [turn, answers] of told.entries()) expect(actAt(ledger, turn), `turn ${turn}`).toEqual(answers)
      })
    },
  }
})

export const verificationCases: readonly LedgerCase[] = [
  ...inEachMode,
  {
    name: "verify() tells of what the log lacks where that was before its begin, and the next one of what came after",
    async run(makePort) {
      const { then, make } = interrupted(makePort)
      const ledger = await fullLedger(make(), {})
      // Changed as no record tells.
      const forge = (name: Name, key: string) => ledger.limit(name)!.openKeys().charge(key, 1, START_MS)
      then.act = (turn) => {
        if (turn === 0) forge("counted", "key 1")
        if (turn === 1) forge("untouched", "new")
      }
      expect((await ledger.verify()).replayEqualsLive).toBe(true)
      expect(then.turns).toBeGreaterThan(20)
      // What is asked of the key meanwhile hides nothing.
      then.act = () => void ledger.check(ledger.limit("counted")!, "key 1", 1, START_MS)
      expect((await ledger.verify()).replayEqualsLive).toBe(false)
      ledger.abandon()
    },
  },
  {
    name: "verify() finds a row that is corrupt, or becomes so before its turn, and the ledger goes on",
    async run(makePort) {
      const { then, make } = interrupted(makePort)
      await withLedger(make, {}, async (ledger, port) => {
        // What was committed is sealed by it.
        await ledger.verify()
        const { id, body } = readRows(port).findLast((row) => row.id > 0 && row.body.length > 1_000)!
        const flipped = body.slice()
        flipped[500]! ^= 1
        const counted = ledger.limit("counted")!
        for (const flipAt of [-1, 0]) {
          then.turns = 0
          let admitted = 0
          then.act = (turn) => {
            if (turn === flipAt) writeRow(port, id, flipped)
            if (ledger.check(counted, `key ${turn}`, 1, START_MS).decision.allowed) admitted += 1
          }
          if (flipAt < 0) writeRow(port, id, flipped)
          await expect(ledger.verify()).rejects.toThrow(new StoreCorrupt(`segment ${id}`, "its SHA-256 differs"))
          expect(admitted).toBeGreaterThan(flipAt)
          then.act = null
          writeRow(port, id, body)
          expect((await ledger.verify()).replayEqualsLive).toBe(true)
        }
        // It has let go of the state: a compaction saves it.
        await ledger.compact()
        expect((await ledger.verify()).replayEqualsLive).toBe(true)
      })
    },
  },
  {
    name: "verify() rejects where a row cannot be read, and the ledger goes on",
    async run(makePort) {
      const port = makePort()
      let isBroken = false
      const ledger = await fullLedger(
        {
          ...{ sha256: (bytes) => port.sha256(bytes), defer: (work) => port.defer(work) },
          after: (ms, work) => port.after(ms, work),
          sql: {
            rows: (statement, ...values) => {
              // What goes through all rows begins before the segments.
              if (isBroken && statement.includes("id >= ?") && Number(values[0]) < 0) throw new Error("a page is gone.")
              return port.sql.rows(statement, ...values)
            },
            run: (statement, ...values) => port.sql.run(statement, ...values),
            transaction: (work) => port.sql.transaction(work),
          },
        },
        {},
      )
      isBroken = true
      await expect(ledger.verify()).rejects.toThrow(new StoreUnavailable("the log cannot be read: a page is gone"))
      isBroken = false
      expect(ledger.check(ledger.limit("counted")!, "key 1", 1, START_MS).decision.allowed).toBe(true)
      expect((await ledger.verify()).replayEqualsLive).toBe(true)
      await ledger.close()
    },
  },
  {
    name: "compact(), verify() and close() during a verification wait for it, and a compaction that is due does",
    async run(makePort) {
      const { then, make } = interrupted(makePort)
      const order: string[] = []
      const pending: Promise<unknown>[] = []
      const note = (what: string, work: Promise<unknown>) => pending.push(work.then(() => order.push(what)))
      const port = make()
      await (await fullLedger(port, { sync: "ahead" })).close()
      const ledger = await Ledger.open(port, { core, names: true, sync: "ahead", compactBytes: 1_000 })
      const limit = ledger.limit("counted")!
      for (let key = 0; key < KEYS; key++) ledger.check(limit, `key ${key}`, 1, START_MS)
      then.act = (turn) => {
        if (turn > 1) return
        ledger.check(limit, `key ${turn}`, 1, START_MS)
        if (turn === 0) {
          note("compacted", ledger.compact())
          const again = ledger.verify()
          note("verified again", again)
          note(
            "right again",
            again.then(({ replayEqualsLive }) => expect(replayEqualsLive).toBe(true)),
          )
        } else note("closed", ledger.close())
      }
      const first = ledger.verify()
      note("verified", first)
      expect((await first).replayEqualsLive).toBe(true)
      await Promise.all(pending)
      expect(order.filter((what) => what !== "right again")).toEqual([
        "verified",
        "compacted",
        "verified again",
        "closed",
      ])
      const later = await Ledger.open(port, { core, names: true })
      expect((await later.verify()).replayEqualsLive).toBe(true)
      await later.close()
    },
  },
  {
    name: "verify() sees grants of units as they were, though close() takes them back meanwhile",
    async run(makePort) {
      const { then, make } = interrupted(makePort)
      let closed: Promise<void> | null = null
      const ledger = await fullLedger(make(), { sync: "ahead" })
      then.act = () => {
        closed ??= ledger.close()
      }
      expect((await ledger.verify()).replayEqualsLive).toBe(true)
      expect(closed).not.toBeNull()
      await closed
    },
  },
  {
    name: "abandon() ends a verification in any turn, and leaves no memory behind",
    async run(makePort) {
      // One that holds nothing of the ledgers before, which is freed when they are collected.
      const own = new Core()
      const before = own.exports.allocatedBytes()
      for (const at of [0, 5, 20]) {
        const { then, make } = interrupted(makePort)
        const ledger = await fullLedger(make(), { core: own })
        then.act = (turn) => {
          if (turn === at) ledger.abandon()
          else actAt(ledger, turn)
        }
        await expect(ledger.verify()).rejects.toThrow(StoreUnavailable)
        expect(then.turns).toBe(at + 1)
        expect(own.exports.allocatedBytes()).toBe(before)
      }
    },
  },
  {
    name: "verify() reads each row in its turn, and little in each turn",
    async run(makePort) {
      const reads: number[] = []
      let mostRows = 0
      const { then, make } = interrupted(() => {
        const port = makePort()
        const rows = (...asked: Parameters<LedgerPort["sql"]["rows"]>): LogRow[] => {
          const found = Array.from(port.sql.rows(...asked))
          mostRows = Math.max(mostRows, found.length)
          reads[reads.length - 1]! += found.reduce((sum, { body }) => sum + body.length, 0)
          return found
        }
        return {
          ...{ sha256: (bytes) => port.sha256(bytes), defer: (work) => port.defer(work) },
          after: (ms, work) => port.after(ms, work),
          sql: {
            rows,
            run: (statement, ...values) => port.sql.run(statement, ...values),
            transaction: (work) => port.sql.transaction(work),
          },
        }
      })
      reads.push(0)
      const ledger = await fullLedger(make(), { partBytes: 8_192 })
      then.act = () => reads.push(0)
      reads[0] = 0
      mostRows = 0
      const { bytes, rows } = await ledger.verify()
      expect(mostRows).toBe(1)
      expect(rows).toBeGreaterThan(20)
      expect(bytes).toBeGreaterThan(200_000)
      expect(Math.max(...reads)).toBeLessThan(60_000)
      await ledger.close()
    },
  },
]
