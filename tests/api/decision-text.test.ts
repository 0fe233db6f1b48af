import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { decisionJson } from "../../src/api/answers.js"
import { decisionText } from "../../src/api/decision-text.js"
import { isoTime } from "../../src/api/iso-time.js"
import { ALGORITHMS } from "../../src/types/algorithm.js"
import type { Decision, Reason } from "../../src/types/decision.js"

const count = fc.nat(2 ** 31 - 1)
const anyText = fc.string({ unit: "binary", maxLength: 20 })
const receipt = fc.record({
  id: anyText,
  key: anyText,
  policy: anyText,
  cost: count,
  chargedAtMs: fc.nat(Number.MAX_SAFE_INTEGER),
})
const rule = fc.record({
  policy: anyText,
  algorithm: fc.constantFrom(...ALGORITHMS),
  limit: count,
  periodMs: count,
  remaining: count,
  retryAfterMs: count,
  resetAfterMs: count,
})
const fields = fc.record({
  key: anyText,
  policy: anyText,
  allowed: fc.boolean(),
  algorithm: fc.constantFrom(...ALGORITHMS),
  limit: count,
  remaining: count,
  cost: count,
  retryAfterMs: count,
  resetAfterMs: count,
  delayMs: count,
  reason: fc.constantFrom<Reason>("ok", "limit", "blocked", "cached", "fail-open", "fail-closed", "fail-local"),
})
const extras = fc.oneof(
  fc.constant({}),
  fc.record({ receipt }),
  fc.record({ receipt, rules: fc.array(rule, { maxLength: 3 }) }),
)
const DENIED: Decision = {
  ...{ key: "a", policy: "default", allowed: false, algorithm: "gcra", limit: 1, remaining: 0, cost: 1 },
  ...{ retryAfterMs: 1, resetAfterMs: 1, delayMs: 0, reason: "limit" },
}

describe("decisionText()", () => {
  test("is what JSON.stringify gives, whatever the texts are", () => {
    fc.assert(
      fc.property(fields, extras, fc.boolean(), fc.nat(4_102_444_800_000), (some, extra, isOwn, nowMs) => {
        const made: Decision = { ...some, ...extra }
        // As a rule a receipt bears its decision's own key and policy.
        const { key, policy } = made
        const own = made.receipt === undefined ? made : { ...made, receipt: { ...made.receipt, key, policy } }
        const told = isOwn ? own : made
        expect(decisionText(told, nowMs)).toBe(JSON.stringify(decisionJson(told, nowMs)))
      }),
    )
  })

  test.each(['"', "\\", "</script>", "\u0000\u001f\u007f", "\u2028", "\ud800", "💧"])("escapes the key %j", (key) => {
    const receipt = { id: "r", key, policy: "default", cost: 1, chargedAtMs: 0 }
    expect(JSON.parse(decisionText({ ...DENIED, key, receipt }, 0))).toMatchObject({ key, receipt: { key } })
  })
})

describe("isoTime()", () => {
  test("is what Date gives", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: -1e13, max: 3e14 })), (times) => {
        expect(times.map(isoTime)).toEqual(times.map((ms) => new Date(ms).toISOString()))
      }),
    )
  })

  test("goes on right from one millisecond, second and year to the next", () => {
    const newYear = Date.parse("2027-01-01T00:00:00Z")
    for (const at of [newYear - 1001, newYear - 1000, newYear - 1, newYear, newYear + 9, newYear + 10, newYear + 100]) {
      expect(isoTime(at)).toBe(new Date(at).toISOString())
    }
    expect(isoTime(253_402_300_799_999)).toBe("9999-12-31T23:59:59.999Z")
    expect(isoTime(253_402_300_800_000)).toBe("+010000-01-01T00:00:00.000Z")
  })

  test("throws where there is no such time", () => {
    expect(() => isoTime(Number.NaN)).toThrow(RangeError)
    expect(() => isoTime(8.65e15)).toThrow(RangeError)
  })
})
