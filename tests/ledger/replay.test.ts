import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { Core } from "../../src/engine/core.js"
import { ByteWriter } from "../../src/ledger/byte-writer.js"
import { LedgerState } from "../../src/ledger/ledger-state.js"
import type { LogRecord } from "../../src/ledger/record.js"
import { RecordEncoder } from "../../src/ledger/record-encoder.js"
import { Replay } from "../../src/ledger/replay.js"
import { replayRecord } from "../../src/ledger/replay-record.js"
import type { Segment } from "../../src/ledger/segment.js"
import { parsePolicy } from "../../src/policy/parse-policy.js"
import { areSame } from "./same-states.js"

const T = 1_700_000_000_000
const core = new Core()
const POLICIES = ["5/10s", "3/minute", "20/second", "4/5s fixed_window"].map((text) =>
  text.includes("fixed")
    ? parsePolicy({ limit: 4, period: "5s", algorithm: "fixed_window" }).canonical
    : parsePolicy(text).canonical,
)
// Texts of one byte a character and of several, and two whose bytes read alike where they are taken for characters.
const KEYS = ["a", "é", "Ã©", "🔑", "k".repeat(200), "__proto__", ...Array.from({ length: 40 }, (_, i) => `key:${i}`)]

function segmentOf(records: readonly LogRecord[]): Segment {
  const writer = new ByteWriter()
  const encoder = new RecordEncoder(writer)
  for (const record of records) encoder.write(record)
  return rawSegment(writer.copy(), records.length)
}

function rawSegment(records: Uint8Array, count: number): Segment {
  const hash = new Uint8Array(32)
  return { sequence: 1, isSealed: true, coveredSequence: 0, previousHash: hash, hash, count, records }
}

function newState(names: boolean): LedgerState {
  return new LedgerState(core, [1, 2, 3, 4], "issuer", { names, keepStatsMs: 10_000 })
}

interface Step {
  readonly pick: number
  readonly limit: number
  readonly key: number
  readonly cost: number
  readonly byMs: number
}

const steps = fc.array(
  fc.record({
    pick: fc.nat({ max: 30 }),
    limit: fc.oneof({ weight: 4, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat({ max: 3 }) }),
    key: fc.oneof(fc.nat({ max: 2 }), fc.nat({ max: KEYS.length - 1 })),
    cost: fc.oneof({ weight: 5, arbitrary: fc.constant(1) }, { weight: 1, arbitrary: fc.nat({ max: 3 }) }),
    byMs: fc.oneof(fc.constantFrom(0, -1, -1), fc.integer({ min: -500, max: 20_000 })),
  }),
  { maxLength: 120 },
)

/** The record of another policy for a limit. */
function changeOf(
  state: LedgerState,
  change: Omit<Extract<LogRecord, { op: "define" }>, "op" | "keepsCells">,
): LogRecord {
  const keepsCells = state.keepsCells(change.name, parsePolicy(change.policy))
  return { op: "define", ...change, ...(keepsCells && { keepsCells }) }
}

/** The records that steps make, and the state that they leave, each repeated by itself. */
function recordsOf(all: readonly Step[], names: boolean): { records: LogRecord[]; state: LedgerState } {
  const state = newState(names)
  const records: LogRecord[] = []
  const add = (record: LogRecord) => {
    replayRecord(state, record)
    records.push(record)
  }
  for (const [limit, policy] of POLICIES.entries())
    add({ op: "define", timeMs: T, limit, name: `limit ${limit}`, policy })
  let timeMs = T
  for (const { pick, limit, key: number, cost, byMs } of all) {
    timeMs += byMs
    const key = KEYS[number]!
    const target = { timeMs, limit, key }
    if (pick === 0) add(state.compactRecord())
    else if (pick === 1) add({ op: "reset", ...target })
    else if (pick === 2) add({ op: "charge", ...target, cost })
    else if (pick === 3) add(changeOf(state, { timeMs, limit, name: `limit ${limit}`, policy: POLICIES[number % 4]! }))
    else if (pick === 4) add({ op: "block", ...target, untilMs: timeMs + 1_000 })
    else if (state.limitAt(limit)!.openKeys().peek(key, cost, timeMs).allowed) {
      add({ op: "admit", ...target, cost, ...(pick === 5 ? { id: `call ${records.length}` } : {}) })
    } else add({ op: "deny", ...target, cost, count: 1, lastMs: timeMs })
  }
  return { records, state }
}

describe("Replay", () => {
  test.each([true, false])("segment() leaves what repeating record by record does, with names: %s", (names) => {
    fc.assert(
      fc.property(steps, fc.integer({ min: 1, max: 60 }), (all, size) => {
        const { records, state } = recordsOf(all, names)
        const other = newState(names)
        const replay = new Replay(other)
        for (let at = 0; at < records.length; at += size) replay.segment(segmentOf(records.slice(at, at + size)))
        replay.end()
        expect(areSame(other, state)).toBe(true)
        state.free()
        other.free()
      }),
      { numRuns: 150 },
    )
  })

  test("segment() leaves every cell as it is where a record changes names alone", () => {
    const state = newState(false)
    const about = { op: "define", limit: 0, name: "api" } as const
    const replay = new Replay(state)
    replay.segment(
      segmentOf([
        { ...about, timeMs: T, policy: parsePolicy("1/20s sliding_window_log").canonical },
        { op: "admit", timeMs: T, limit: 0, key: "a", cost: 1 },
        {
          ...about,
          timeMs: T + 10_000,
          policy: parsePolicy("1/20s sliding_window_log as new").canonical,
          keepsCells: true,
        },
      ]),
    )
    replay.end()
    const { policy, retryAfterMs } = state
      .limitAt(0)!
      .openKeys()
      .peek("a", 1, T + 10_000)
    expect({ policy, retryAfterMs }).toEqual({ policy: "new", retryAfterMs: 10_000 })
    state.free()
  })

  test("segment() repeats more admissions than a batch has room for, while the core's memory grows", () => {
    const own = new Core()
    const state = new LedgerState(own, [1, 2, 3, 4], "issuer", { names: true })
    const admit = (index: number): LogRecord => ({
      op: "admit",
      timeMs: T + index,
      limit: 0,
      key: `key:${index % 30_000}`,
      cost: 1,
    })
    const define: LogRecord = { op: "define", timeMs: T, limit: 0, name: "api", policy: POLICIES[1]! }
    const records = [define, ...Array.from({ length: 60_000 }, (_, index) => admit(index))]
    const replay = new Replay(state)
    replay.segment(segmentOf(records))
    replay.end()
    const limit = state.limitAt(0)!
    const keys = limit.openKeys()
    expect([limit.size, keys.charges, limit.names.size, state.timeMs]).toEqual([30_000, 60_000, 30_000, T + 59_999])
    expect(keys.stats("key:29999")).toMatchObject({ totalAllowed: 2, lastAllowedAt: T + 59_999 })
    expect([...limit.names].slice(0, 2)).toEqual(["key:0", "key:1"])
  })

  test("segment() repeats runs between which the core's memory grows", () => {
    const own = new Core()
    const state = new LedgerState(own, [1, 2, 3, 4], "issuer", { names: true })
    const about = (index: number) => ({ timeMs: T + index, limit: 0, key: `key:${index}`, cost: 1 })
    const records: LogRecord[] = [{ op: "define", timeMs: T, limit: 0, name: "api", policy: POLICIES[1]! }]
    for (let index = 0; index < 60_000; index++)
      records.push({ op: index % 20 === 0 ? "admit" : "charge", ...about(index) })
    const replay = new Replay(state)
    replay.segment(segmentOf(records))
    replay.end()
    const keys = state.limitAt(0)!.openKeys()
    expect([keys.size, keys.charges, state.timeMs]).toEqual([60_000, 3_000, T + 59_999])
  })

  const admitted: LogRecord = { op: "admit", timeMs: T, limit: 0, key: "a", cost: 1 }
  const settled: LogRecord = { op: "settle", timeMs: T, limit: 0, key: "a", units: 1, chargedAtMs: T, chargeNumber: 1 }
  const reset: LogRecord = { op: "reset", timeMs: T, limit: 0, key: "a" }
  const define = { op: "define", timeMs: T, limit: 0, name: "api", policy: POLICIES[1]! } as const
  const renamed = parsePolicy("3/minute as new").canonical

  test.each<[string, LogRecord[], string]>([
    ["more than the limit", [admitted, admitted, admitted, admitted], "denies what was admitted"],
    ["a cost above the capacity", [{ ...admitted, cost: 4 }], "denies what was admitted"],
    ["a cost that no call can have", [{ ...admitted, cost: 2 ** 32 + 1 }], "a number is out of range"],
    ["an empty key", [{ ...admitted, key: "" }], "denies what was admitted"],
    ["a key that is too long", [{ ...admitted, key: "k".repeat(513) }], "denies what was admitted"],
    ["a time before 0", [{ ...admitted, timeMs: -1 }], "denies what was admitted"],
    ["a limit that was not defined", [{ ...admitted, limit: 1 }], "was not defined"],
    ["a receipt that is settled twice", [admitted, settled, settled], "does not settle"],
    ["a receipt that is settled after a reset of its key", [admitted, reset, settled], "does not settle"],
    ["a new limit that keeps cells", [{ ...define, limit: 1, name: "other", keepsCells: true }], "changes a policy"],
    ["another policy that keeps cells", [{ ...define, policy: POLICIES[2]!, keepsCells: true }], "changes a policy"],
    ["another name of a rule that keeps none", [{ ...define, policy: renamed }], "changes a policy"],
  ])("segment() refuses %s", (_, records, message) => {
    const state = newState(true)
    expect(() => new Replay(state).segment(segmentOf([define, ...records]))).toThrow(message)
    state.free()
  })

  test.each<[string, number[], string]>([
    ["a key that was not told", [0x31, 0x00, 0x01], "was not told"],
    ["a key that is no UTF-8", [0x31, 0x00, 0x00, 0x01, 0xff], "no UTF-8"],
    ["a key that ends too soon", [0x31, 0x00, 0x00, 0x09, 0x61], "ends too soon"],
    ["a record that ends too soon", [0x31], "ends too soon"],
    ["a number without an end", [0x31, 0x80], "ends too soon"],
    ["more bytes than records", [0x31, 0x00, 0x00, 0x01, 0x61, 0x00], "more bytes than records"],
    ["an open that tells no number of a charge", [0x2a, 0x00, 0x00], "tells less than its kind does"],
  ])("segment() refuses %s", (_, bytes, message) => {
    const state = newState(true)
    const replay = new Replay(state)
    replay.segment(segmentOf([define]))
    expect(() => replay.segment(rawSegment(Uint8Array.from(bytes), 1))).toThrow(message)
    replay.end()
    state.free()
  })
})
