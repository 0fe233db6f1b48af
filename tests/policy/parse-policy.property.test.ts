import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { formatPolicy } from "../../src/policy/format-policy.js"
import { parsePolicy } from "../../src/policy/parse-policy.js"
import type { Policy, PolicyInput } from "../../src/policy/policy.js"
import { ALGORITHMS, type Algorithm } from "../../src/types/algorithm.js"
import { PolicyError } from "../../src/types/errors.js"

const TEN_YEARS_MS = 315_360_000_000

/** Small values collide often, large ones find what overflows. */
const units = fc.oneof(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 2 ** 31 }))
const periodMs = fc.oneof(
  fc.integer({ min: 1, max: 20 }),
  fc.maxSafeInteger().map((n) => (Math.abs(n) % TEN_YEARS_MS) + 1),
)
const duration = periodMs.chain((ms) => fc.constantFrom<string | number>(ms, `${ms}ms`, ` ${ms} milliseconds `))
const name = fc.stringMatching(/^[!-~]([ -~]{0,10}[!-~])?$/)

/** Rules that are mostly valid. */
const rule = fc
  .record({ limit: units, period: periodMs, algorithm: fc.constantFrom(...ALGORITHMS), split: units })
  .chain(({ limit, period, algorithm, split }) => {
    const step = greatestCommonDivisor(limit, period)
    const part = (split % step) + 1
    const [amount, every] = [(limit / step) * part, (period / step) * part]
    return fc.record(
      {
        limit: fc.constant(limit),
        period: fc.constantFrom<string | number>(period, `${period}ms`),
        algorithm: fc.constant(algorithm),
        block: duration,
        name,
        ...(hasBurst(algorithm) ? { burst: units } : {}),
        ...(algorithm === "token_bucket" ? { refill: fc.constantFrom("continuous", { amount, every }) } : {}),
        ...(algorithm === "fixed_window" ? { anchor: fc.constantFrom("epoch", "first") } : {}),
        ...(algorithm === "fixed_window" ? { offset: fc.integer({ min: 0, max: Math.min(period, 2 ** 31) }) } : {}),
      },
      { requiredKeys: ["limit", "period", "algorithm"] },
    )
  })

const shortRule = fc
  .tuple(units, fc.constantFrom("/s", "/15m", " / 3 hours", "/week"), fc.constantFrom("", " burst 7", " fixed_window"))
  .map((parts) => parts.join(""))

const policyInput = fc.oneof(
  rule,
  shortRule,
  fc.array(shortRule, { minLength: 1, maxLength: 9 }).map((rules) => rules.join("; ")),
  fc.array(fc.oneof(rule, shortRule), { minLength: 1, maxLength: 9 }),
) as fc.Arbitrary<PolicyInput>

describe("parsePolicy() properties", () => {
  test("every policy that is accepted keeps to the ranges", () => {
    let accepted = 0
    fc.assert(
      fc.property(policyInput, (input) => {
        const policy = parseOrNull(input)
        if (policy === null) return
        accepted++
        expectInRange(policy)
      }),
      { numRuns: 3_000 },
    )
    // Were nearly everything refused, this property would hold for nothing.
    expect(accepted).toBeGreaterThan(1_000)
  })

  test("the canonical text is read back to an equal policy, by way of a copy too", () => {
    fc.assert(
      fc.property(policyInput, (input) => {
        const policy = parseOrNull(input)
        if (policy === null) return
        expect(parsePolicy(policy.canonical)).toEqual(policy)
        expect(parsePolicy(structuredClone(policy))).toEqual(policy)
        expect(parsePolicy(JSON.stringify(policy))).toEqual(policy)
      }),
      { numRuns: 1_000 },
    )
  })

  test("the text that formatPolicy() makes of a policy is read back to an equal one", () => {
    // Names that rules have by themselves, in any order, said or not, take turns with others.
    const often = fc.record(
      {
        limit: fc.integer({ min: 1, max: 2 }),
        period: fc.constantFrom(1_000, 2_000),
        name: fc.constantFrom("default", "1-per-1s", "1-per-1s-2", "2-per-1s", "a b", "a;b"),
      },
      { requiredKeys: ["limit", "period"] },
    )
    const lists = fc.array(often, { minLength: 1, maxLength: 4 })
    let accepted = 0
    let short = 0
    fc.assert(
      fc.property(fc.oneof(policyInput, lists), (input) => {
        const policy = parseOrNull(input)
        if (policy === null) return
        accepted++
        const text = formatPolicy(policy)
        expect(parsePolicy(text).canonical).toBe(policy.canonical)
        if (/^[[{]/.test(text)) return
        short++
        expect(text.length).toBeLessThan(policy.canonical.length)
      }),
      { numRuns: 3_000 },
    )
    expect(accepted).toBeGreaterThan(1_000)
    expect(short).toBeGreaterThan(500)
  })

  test("canonical texts are equal exactly where policies are", () => {
    const similar = fc.record(
      {
        limit: fc.integer({ min: 1, max: 2 }),
        period: fc.constantFrom(1_000, "1s", "1000ms", "2s"),
        burst: fc.integer({ min: 1, max: 2 }),
        algorithm: fc.constantFrom("gcra" as const, "leaky_bucket" as const),
        block: fc.constantFrom(5, "5ms", 6),
        name: fc.constantFrom("default", "a"),
      },
      { requiredKeys: ["limit", "period"] },
    )
    fc.assert(
      fc.property(similar, similar, (a, b) => {
        const { canonical, ...policyA } = parsePolicy(a)
        const { canonical: canonicalB, ...policyB } = parsePolicy(b)
        expect(canonical === canonicalB).toBe(JSON.stringify(policyA) === JSON.stringify(policyB))
      }),
      { numRuns: 2_000 },
    )
  })

  test("a text throws nothing but PolicyError", () => {
    const piece = fc.constantFrom(
      ...["1", "0", "100", "2147483649", "/", " / ", "minute", "m", "ms", "15", ".", "burst", "as", "gcra", "x", ";"],
      ...[
        ",",
        " ",
        "\n",
        "\u2028",
        "-",
        "[",
        "]",
        "{",
        "}",
        '"',
        ":",
        "limit",
        '"limit":1',
        '"period":1',
        "null",
        "\\",
      ],
      ...["__proto__", "canonical", "fixed_window", "\ud800", "🙂"],
    )
    const text = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.array(piece, { maxLength: 12 }).map((all) => all.join("")),
    )
    fc.assert(
      fc.property(text, (input) => {
        const policy = parseOrNull(input)
        if (policy !== null) expectInRange(policy)
      }),
      { numRuns: 20_000 },
    )
  })

  test("a canonical text with a character changed throws nothing but PolicyError, or is a policy", () => {
    fc.assert(
      fc.property(policyInput, fc.nat(), fc.string({ maxLength: 2 }), (input, position, change) => {
        const canonical = parseOrNull(input)?.canonical
        if (canonical === undefined) return
        const at = position % canonical.length
        const policy = parseOrNull(canonical.slice(0, at) + change + canonical.slice(at + 1))
        if (policy !== null) expectInRange(policy)
      }),
      { numRuns: 2_000 },
    )
  })

  test("a value throws nothing but PolicyError", () => {
    const value = fc.anything({
      withBigInt: true,
      withNullPrototype: true,
      withSparseArray: true,
      withObjectString: true,
    })
    const field = fc.constantFrom(
      "limit",
      "period",
      "algorithm",
      "burst",
      "refill",
      "block",
      "name",
      "canonical",
      "rules",
    )
    const odd = fc.tuple(rule, field, value).map(([valid, key, strange]) => ({ ...valid, [key]: strange }))
    fc.assert(
      fc.property(fc.oneof(value, odd, fc.array(odd)), (input) => {
        const policy = parseOrNull(input as PolicyInput)
        if (policy !== null) expectInRange(policy)
      }),
      { numRuns: 5_000 },
    )
  })
})

/** The policy, or `null` where it is refused; any other error fails the test. */
function parseOrNull(input: PolicyInput): Policy | null {
  try {
    return parsePolicy(input)
  } catch (error) {
    if (!(error instanceof PolicyError)) throw error
    expect(error.code).toBe("POLICY_INVALID")
    return null
  }
}

function expectInRange({ name: policyName, rules, blockMs }: Policy): void {
  expectWhole(rules.length, 1, 8)
  expectWhole(blockMs, 0, TEN_YEARS_MS)
  expect(policyName).toMatch(/^[ -~]{1,519}$/)
  expect(new Set(rules.map((each) => each.name)).size).toBe(rules.length)
  for (const { name: ruleName, algorithm, limit, periodMs, capacity, refill, anchor, offsetMs } of rules) {
    expect(ruleName).toMatch(/^[!-~]([ -~]{0,62}[!-~])?$/)
    expect(ALGORITHMS).toContain(algorithm)
    expectWhole(limit, 1, 2 ** 31)
    expectWhole(periodMs, 1, TEN_YEARS_MS)
    expectWhole(capacity, 1, 2 ** 31)
    if (!hasBurst(algorithm)) expect(capacity).toBe(limit)
    const refillTimeMs = (BigInt(capacity) * BigInt(periodMs) + BigInt(limit) - 1n) / BigInt(limit)
    expect(refillTimeMs <= 2n ** 45n).toBe(true)
    if (refill !== null) {
      expect(algorithm).toBe("token_bucket")
      expectWhole(refill.amount, 1, capacity)
      expectWhole(refill.everyMs, 1, TEN_YEARS_MS)
      expect(BigInt(refill.amount) * BigInt(periodMs)).toBe(BigInt(limit) * BigInt(refill.everyMs))
    }
    if (algorithm === "fixed_window") expect(["epoch", "first"]).toContain(anchor)
    else expect(anchor).toBeNull()
    expectWhole(offsetMs, 0, anchor === "epoch" ? periodMs - 1 : 0)
  }
}

function expectWhole(value: number, least: number, most: number): void {
  expect(Number.isInteger(value) && !Object.is(value, -0) && value >= least && value <= most, `${value}`).toBe(true)
}

function hasBurst(algorithm: Algorithm): boolean {
  return ["gcra", "token_bucket", "leaky_bucket"].includes(algorithm)
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b)
}
