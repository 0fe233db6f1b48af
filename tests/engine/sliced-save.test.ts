import { describe, expect, test } from "vitest"
import { Core } from "../../src/engine/core.js"
import type { RecordedLimit } from "../../src/engine/recorded-limit.js"
import { SAVED } from "../../src/engine/saved-cells.js"
import type { TableOptions } from "../../src/engine/table-options.js"
import { parsePolicy } from "../../src/policy/parse-policy.js"
import type { PolicyInput } from "../../src/policy/policy.js"
import { START_MS } from "../start-ms.js"
import { makeLimit } from "./make-limit.js"
import { Random, SEED } from "./random.js"
import { takeAll } from "./take-all.js"

const POLICIES: readonly PolicyInput[] = [
  "3/second burst 9",
  { limit: 40, period: "2s", block: "3s" },
  { limit: 6, period: "6s", algorithm: "token_bucket", refill: { amount: 2, every: "2s" } },
  { limit: 9, period: "3s", algorithm: "sliding_window_log" },
  ["7/second", { limit: 30, period: "20s", algorithm: "sliding_window_log", block: 700 }, "50/minute fixed_window"],
]
const HOLDING: readonly TableOptions["onFull"][] = ["keep-all", "deny-new"]

type Copies = ReturnType<RecordedLimit["copyCells"]>

/** How many bytes of each kind there are: with `hasCells`, equality in any order. */
function lengthsOf(copies: Copies): number[] {
  return Object.values(SAVED).map((kind) =>
    copies.reduce((sum, copy) => sum + (copy.kind === kind ? copy.cells.length : 0), 0),
  )
}

/** What a limit does at a time: the same numbers, the same acts. */
function act(limit: RecordedLimit, random: Random, keys: number, nowMs: number): string {
  const key = `key ${random.below(keys)}`
  const choice = random.below(40)
  if (choice < 24) return `${limit.check(key, 1 + random.below(2), nowMs).reason}`
  if (choice < 28) return JSON.stringify(limit.peek(key, 1, nowMs).toJSON())
  if (choice === 28) return `${limit.reset(key, nowMs)}`
  if (choice === 29) return `${limit.block(key, nowMs + random.below(4_000), nowMs)}`
  if (choice === 30) return `${limit.unblock(key, nowMs)}`
  if (choice < 33) return `${limit.charge(key, 1 + random.below(3), nowMs)}`
  if (choice < 36) return `${limit.refund(key, 1, nowMs - random.below(900), nowMs)}`
  if (choice === 36) return JSON.stringify(limit.stats(key))
  return `${limit.noteDenials(key, 2, 1, nowMs)}`
}

function saveAll(limit: RecordedLimit): Copies {
  while (limit.saveMore(1_000_000));
  const copies = taken(limit)
  limit.endSave()
  return copies
}

function taken(limit: RecordedLimit): Copies {
  const copies: Copies = []
  for (let some = limit.takeSaved(); some !== null; some = limit.takeSaved()) copies.push(some)
  return copies
}

describe(`beginSave() and saveMore() (SLUICE_ENGINE_SEED=${SEED})`, () => {
  for (const onFull of HOLDING) {
    test.each(POLICIES)(`save a limit as it was, while it is used: ${onFull}, %j`, (policy) => {
      for (let round = 0; round < 12; round++) {
        const options = { stats: true, onFull }
        const core = new Core()
        const sliced = makeLimit(policy, options, core)
        const whole = makeLimit(policy, options, core)
        const numbers = [new Random(SEED + round), new Random(SEED + round)] as const
        const pace = new Random(SEED - round)
        const keys = [3, 40, 900, 4_000][round % 4]!
        let nowMs = START_MS
        const both = (count: number) => {
          for (let i = 0; i < count; i++) {
            if (pace.below(4) === 0) nowMs += pace.below(60) - 8
            const answer = act(sliced, numbers[0], keys, nowMs)
            expect(answer).toBe(act(whole, numbers[1], keys, nowMs))
          }
        }
        both(2_500)
        // Again: the second save begins with groups that the first one marked, the third one also with another policy.
        for (let save = 0; save < 3; save++) {
          if (save === 2) for (const limit of [sliced, whole]) limit.change(parsePolicy(policy), nowMs)
          const what = { idleAtMs: nowMs - 500, statsSinceMs: round % 3 === 0 ? nowMs - 900 : 0 }
          whole.beginSave(what)
          const expected = saveAll(whole)
          sliced.beginSave(what)
          const copies: Copies = []
          let hasMore = true
          while (hasMore) {
            both(pace.below(60))
            hasMore = sliced.saveMore(1 + pace.below(2_000))
            if (pace.below(3) === 0) copies.push(...taken(sliced))
          }
          copies.push(...taken(sliced))
          sliced.endSave()
          expect(lengthsOf(copies)).toEqual(lengthsOf(expected))
          // What was saved, put back, is what the other one saved at once.
          const copy = makeLimit(policy, options, core)
          for (const { kind, cells } of copies) expect(copy.load(kind, cells)).toBe(true)
          for (const { kind, cells } of expected) expect(copy.hasCells(kind, cells)).toBe(true)
          copy.free()
          // And both live on as one.
          expect(lengthsOf(sliced.copyCells())).toEqual(lengthsOf(whole.copyCells()))
          for (const { kind, cells } of whole.copyCells()) expect(sliced.hasCells(kind, cells)).toBe(true)
          both(500)
        }
        sliced.free()
        whole.free()
        expect(core.exports.allocatedBytes()).toBe(0)
      }
    })
  }

  test("save all of a limit that was restored from the dump of one that was saved before", () => {
    const from = makeLimit("5/minute", { stats: true, onFull: "keep-all" })
    for (let key = 0; key < 3_000; key++) from.check(`key ${key}`, 1, START_MS)
    from.block("key 0", START_MS + 1_000, START_MS)
    const copies = from.copyCells()
    const to = makeLimit("5/minute", { stats: true, onFull: "keep-all" })
    to.restoreTables(from.dumpTables())
    expect(lengthsOf(to.copyCells())).toEqual(lengthsOf(copies))
    for (const { kind, cells } of copies) expect(to.hasCells(kind, cells)).toBe(true)
  })

  test("endSave() before the end, and free() during a save, free all that was saved", () => {
    const core = new Core()
    for (const end of ["endSave", "free"] as const) {
      const limit = makeLimit("5/minute", { stats: true, onFull: "keep-all" }, core)
      for (let key = 0; key < 3_000; key++) limit.check(`key ${key}`, 1, START_MS)
      limit.beginSave({ idleAtMs: -1, statsSinceMs: 0 })
      expect(limit.saveMore(5_000)).toBe(true)
      for (let key = 0; key < 300; key++) limit.check(`key ${key}`, 1, START_MS)
      limit[end]()
      if (end === "endSave") limit.free()
      expect(core.exports.allocatedBytes()).toBe(0)
    }
  })

  test("a save for which memory ends tells no cells, drops what is idle, and says at its end that it is not complete", () => {
    const core = new Core()
    const limit = makeLimit("5/minute", { onFull: "keep-all" }, core)
    for (let key = 0; key < 3_000; key++) limit.check(`idle ${key}`, 1, START_MS - 3_600_000)
    for (let key = 0; key < 3_000; key++) limit.check(`used ${key}`, 5, START_MS)
    limit.beginSave({ idleAtMs: START_MS, statsSinceMs: 0 })
    limit.saveMore(40_000)
    const before = core.exports.allocatedBytes()
    takeAll(core)
    const taken = core.exports.allocatedBytes() - before
    for (let key = 0; key < 3_000; key++) expect(limit.check(`used ${key}`, 1, START_MS).allowed).toBe(false)
    // What was saved before is freed.
    expect(core.exports.allocatedBytes() - taken).toBeLessThan(before)
    while (limit.saveMore(1_000_000));
    expect(limit.takeSaved()).toBe(null)
    expect(limit.endSave()).toBe(false)
    expect(limit.size).toBe(3_000)
    expect(() => limit.copyCells()).toThrow("the memory for keys is full")
  })

  test("endSave() tells whether the save is complete", () => {
    const limit = makeLimit("5/minute", { onFull: "keep-all" })
    for (let key = 0; key < 3_000; key++) limit.check(`key ${key}`, 1, START_MS)
    expect(limit.endSave()).toBe(false)
    limit.beginSave({ idleAtMs: -1, statsSinceMs: 0 })
    limit.saveMore(5_000)
    expect(limit.endSave()).toBe(false)
    limit.beginSave({ idleAtMs: -1, statsSinceMs: 0 })
    while (limit.saveMore(5_000));
    expect(limit.endSave()).toBe(true)
  })

  test("beginSave() refuses a second save, and a limit whose keys make room for others", () => {
    const limit = makeLimit("5/minute", { onFull: "keep-all" })
    limit.beginSave({ idleAtMs: START_MS, statsSinceMs: 0 })
    expect(() => limit.beginSave({ idleAtMs: START_MS, statsSinceMs: 0 })).toThrow(RangeError)
    const bounded = makeLimit("5/minute", { maxKeys: 10 })
    expect(() => bounded.beginSave({ idleAtMs: START_MS, statsSinceMs: 0 })).toThrow(RangeError)
  })

  test("change() during a save is refused, says so, and is possible after it", () => {
    const limit = makeLimit("5/minute", { onFull: "keep-all" })
    limit.check("a", 4, START_MS)
    limit.beginSave({ idleAtMs: -1, statsSinceMs: 0 })
    const { policy } = makeLimit("6/minute")
    expect(() => limit.change(policy, START_MS)).toThrow("Cannot change a policy: the limit is being saved, ")
    expect(limit.policy.rules[0].limit).toBe(5)
    limit.endSave()
    limit.change(policy, START_MS)
    expect(limit.peek("a", 1, START_MS).remaining).toBe(2)
  })

  test("hasCells() tells any other cell, and load() refuses what is cut or there already", () => {
    const options = { stats: true, onFull: "keep-all" } as const
    const limit = makeLimit(POLICIES[4]!, options)
    for (let i = 0; i < 60; i++) limit.check(`key ${i % 7}`, 1, START_MS + i)
    for (const { kind, cells } of limit.copyCells()) {
      expect(limit.hasCells(kind, cells)).toBe(true)
      for (let at = 0; at < cells.length; at++) {
        const changed = cells.slice()
        changed[at]! ^= 1
        expect(limit.hasCells(kind, changed), `kind ${kind}, byte ${at}`).toBe(false)
      }
      expect(limit.load(kind, cells)).toBe(false)
      expect(makeLimit(POLICIES[4]!, options).load(kind, cells.subarray(0, -1))).toBe(false)
    }
  })
})
