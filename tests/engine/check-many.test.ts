import { describe, expect, test } from "vitest"
import { Core } from "../../src/engine/core.js"
import type { Decisions } from "../../src/engine/decisions.js"
import { START_MS } from "../start-ms.js"
import { makeStandaloneLimit } from "./make-limit.js"
import { Random, SEED } from "./random.js"

describe("checkMany", () => {
  test("finds every key of a table that has grown, in whichever group it is", () => {
    const keys = Array.from({ length: 20_000 }, (_, index) => `session:${index}`)
    const limit = makeStandaloneLimit("1/day")
    for (const key of keys) limit.allow(key, 1, START_MS)
    // Above the 256 that are looked for at a time.
    for (let from = 0; from < keys.length; from += 400) {
      const { allowed } = limit.checkMany(keys.slice(from, from + 400), undefined, START_MS)
      expect(allowed).not.toContain(1)
    }
    expect(limit.size).toBe(keys.length)
  })

  test(`says what checks one by one say, while keys come and go (SLUICE_ENGINE_SEED=${SEED})`, () => {
    const random = new Random(SEED)
    const [together, alone] = [makeStandaloneLimit("3/minute"), makeStandaloneLimit("3/minute")]
    let nowMs = START_MS
    for (let batch = 0; batch < 300; batch++) {
      nowMs += random.below(500)
      const keys = Array.from({ length: 1 + random.below(600) }, () => `key:${random.below(8_000)}`)
      const costs = random.below(2) === 0 ? undefined : keys.map(() => random.below(4))
      const { allowed, remaining, retryAfterMs, resetAfterMs } = together.checkMany(keys, costs, nowMs)
      const expected = keys.map((key, index) => alone.check(key, costs?.[index] ?? 1, nowMs))
      expect([...allowed]).toEqual(expected.map((decision) => Number(decision.allowed)))
      expect([...remaining]).toEqual(expected.map((decision) => decision.remaining))
      expect([...retryAfterMs]).toEqual(expected.map((decision) => decision.retryAfterMs))
      expect([...resetAfterMs]).toEqual(expected.map((decision) => decision.resetAfterMs))
      for (let index = 0; index < 100; index++) {
        const key = `key:${random.below(8_000)}`
        expect(together.reset(key, nowMs)).toBe(alone.reset(key, nowMs))
      }
    }
    expect(together.size).toBe(alone.size)
  })

  test("writes the answers over those of an earlier call, as a new call would tell them", () => {
    const random = new Random(SEED)
    const [reusing, fresh] = [makeStandaloneLimit("3/minute"), makeStandaloneLimit("3/minute")]
    const batchOf = (length: number) => Array.from({ length }, () => `key:${random.below(50)}`)
    let into = reusing.checkMany(batchOf(100), Array(100).fill(0), START_MS)
    for (let batch = 0; batch < 100; batch++) {
      const before = structuredClone(into)
      const keys = batchOf(1 + random.below(100))
      const costs = random.below(2) === 0 ? undefined : keys.map(() => random.below(4))
      const nowMs = START_MS + batch * 400
      const expected = fresh.checkMany(keys, costs, nowMs)
      expect(reusing.checkMany(keys, costs, nowMs, into)).toBe(into)
      for (const column of ["allowed", "remaining", "retryAfterMs", "resetAfterMs"] as const) {
        expect(into[column].subarray(0, keys.length)).toEqual(expected[column])
        expect(into[column].subarray(keys.length)).toEqual(before[column].subarray(keys.length))
      }
    }
    // A larger batch than there is room for: the columns may be of any buffer.
    into = {
      allowed: new Uint8Array(300),
      remaining: new Uint32Array(new ArrayBuffer(2_000), 8, 300),
      retryAfterMs: new Float64Array(301),
      resetAfterMs: new Float64Array(302),
    }
    const keys = batchOf(300)
    const nowMs = START_MS + 60_000
    const expected = fresh.checkMany(keys, undefined, nowMs)
    reusing.checkMany(keys, undefined, nowMs, into)
    expect(into.remaining).toEqual(expected.remaining)
    expect(into.retryAfterMs.subarray(0, 300)).toEqual(expected.retryAfterMs)
  })

  test("has the answers in place when the table grows under the checks", () => {
    const limit = makeStandaloneLimit("1/day")
    const keys = Array.from({ length: 50_000 }, (_, index) => `new:${index}`)
    const into = limit.checkMany(keys, new Uint8Array(keys.length), START_MS)
    expect(limit.checkMany(keys, undefined, START_MS, into).allowed).toEqual(new Uint8Array(keys.length).fill(1))
    expect(limit.checkMany(keys, undefined, START_MS, into).allowed).toEqual(new Uint8Array(keys.length))
  })

  test("writes no further than there is room where an array tells of other keys the second time", () => {
    const core = new Core()
    const [limit, other] = [makeStandaloneLimit("1/day", {}, core), makeStandaloneLimit("1/day", {}, core)]
    other.check("x", 1, START_MS)
    let asked = 0
    const keys = ["", "b"]
    Object.defineProperty(keys, 0, { get: () => (asked++ === 0 ? "a" : "z".repeat(4_000_000)) })
    expect(() => limit.checkMany(keys, undefined, START_MS)).toThrow(RangeError)
    expect(other.check("x", 1, START_MS).allowed).toBe(false)
    expect(limit.check("y", 1, START_MS).allowed).toBe(true)
  })

  test("refuses what has no room for the answers, and charges nothing", () => {
    const limit = makeStandaloneLimit("1/day")
    const full = limit.checkMany(["x", "y"], [0, 0], START_MS)
    const bad: [unknown, string][] = [
      [null, "into is null, allowed is the decisions of an earlier call"],
      [[], "into is [], allowed is the decisions of an earlier call"],
      [{}, "into.allowed is undefined, allowed is a Uint8Array"],
      [{ ...full, remaining: new Int32Array(2) }, "allowed is a Uint32Array"],
      [{ ...full, retryAfterMs: [0, 0] }, "into.retryAfterMs is [0,0], allowed is a Float64Array"],
      [{ ...full, resetAfterMs: new Float64Array(1) }, "into.resetAfterMs.length is 1, allowed is at least 2"],
    ]
    for (const [into, message] of bad) {
      expect(() => limit.checkMany(["a", "b"], undefined, START_MS, into as Decisions)).toThrow(message)
    }
    const packed = [new Uint8Array([97, 98]), new Uint32Array([1, 2])] as const
    const small = { ...full, allowed: new Uint8Array(1) }
    expect(() => limit.checkPacked(...packed, undefined, START_MS, small)).toThrow("into.allowed.length is 1")
    expect(limit.size).toBe(0)
    expect(limit.checkPacked(...packed, undefined, START_MS, full)).toBe(full)
    expect(full.allowed).toEqual(new Uint8Array([1, 1]))
  })
})
