import { describe, expect, test } from "vitest"
import { parsePolicy, policyOfLimit } from "../../src/policy/parse-policy.js"
import type { PolicyInput } from "../../src/policy/policy.js"
import { policyErrorOf } from "./policy-error-of.js"

/** Input that no type allows but that plain JavaScript can pass. */
const parseAnything = (input: unknown) => parsePolicy(input as PolicyInput)

describe("parsePolicy() of a text seen before", () => {
  test("answers a text that it knows with the same policy, and forgets texts beyond its bound", () => {
    const first = parsePolicy("100/minute as cached")
    expect(parsePolicy("100/minute as cached")).toBe(first)
    for (let limit = 1; limit <= 256; limit++) parsePolicy(`${limit}/minute as other`)
    const again = parsePolicy("100/minute as cached")
    expect(again).not.toBe(first)
    expect(again).toEqual(first)
  })

  test("remembers no long text and no error", () => {
    const long = `100/minute${" ".repeat(1_100)}`
    expect(parsePolicy(long)).not.toBe(parsePolicy(long))
    for (const _ of [1, 2]) expect(policyErrorOf(() => parsePolicy("100/minut")).field).toBe("period")
  })
})

describe("parsePolicy() names", () => {
  test("numbers the names that two rules derive alike", () => {
    const { rules } = parsePolicy("10/s; 10/1000ms fixed_window; 10/second")
    expect(rules.map((rule) => rule.name)).toEqual(["10-per-1s", "10-per-1s-2", "10-per-1s-3"])
  })

  test("derives no name that another rule was given, wherever that rule stands", () => {
    const { rules } = parsePolicy("10/s; 10/s; 5/m as 10-per-1s; 5/h as 10-per-1s-2")
    expect(rules.map((rule) => rule.name)).toEqual(["10-per-1s-3", "10-per-1s-4", "10-per-1s", "10-per-1s-2"])
  })

  test("allows a rule of several to be called default", () => {
    expect(parsePolicy("10/s as default; 5/m").name).toBe("default+5-per-1m")
  })
})

describe("parsePolicy() of a policy", () => {
  const policy = parsePolicy([
    { limit: 100, period: "1m", algorithm: "token_bucket", burst: 200, refill: { amount: 5, every: "3s" }, name: "a" },
    { limit: 5, period: "1h", algorithm: "fixed_window", offset: "1s", block: "15m" },
  ])
  type Json = Record<string, unknown> & { rules: Record<string, unknown>[] }
  const copyWith = (change: (copy: Json) => unknown) => {
    const copy = structuredClone(policy) as unknown as Json
    change(copy)
    return copy
  }

  test("returns one that it made as it is", () => {
    expect(parsePolicy(policy)).toBe(policy)
  })

  test("reads a structured clone, and JSON text or a parse of it, as an equal and frozen policy", () => {
    const json = JSON.stringify(policy)
    for (const copy of [structuredClone(policy), JSON.parse(json), json]) {
      const read = parsePolicy(copy)
      expect(read).not.toBe(copy)
      expect(read).toEqual(policy)
      expect(Object.isFrozen(read)).toBe(true)
    }
  })

  test("reads a copy with the name of a limit as one for that limit", () => {
    const named = policyOfLimit(policy, "api\ntier:pro")
    for (const copy of [structuredClone(named), JSON.stringify(named)]) expect(parsePolicy(copy)).toEqual(named)
  })

  test.each([1, null, "", "\ud800", "é".repeat(513), "x".repeat(2 ** 20)])(
    "refuses a copy with the name of a limit that can have no such name (%#)",
    (limitName) => {
      const error = policyErrorOf(() => parseAnything(copyWith((copy) => Object.assign(copy, { limitName }))))
      expect(error).toMatchObject({ field: "limitName", allowed: "1 to 512 well-formed characters" })
      expect(error.message.length).toBeLessThan(1_000)
    },
  )

  test("reads a copy with the longest name of a limit", () => {
    const named = policyOfLimit(policy, "é".repeat(512))
    expect(parsePolicy(structuredClone(named)).limitName).toBe("é".repeat(512))
  })

  test.each<[string, unknown, string]>([
    ["another limit", copyWith((copy) => Object.assign(copy.rules[0]!, { limit: 101 })), "rules"],
    ["a limit as text", copyWith((copy) => Object.assign(copy.rules[0]!, { limit: "100" })), "rules"],
    ["another refill", copyWith((copy) => Object.assign(copy.rules[0]!, { refill: null })), "rules"],
    ["-0 for 0", copyWith((copy) => Object.assign(copy.rules[0]!, { offsetMs: -0 })), "rules"],
    ["a field more in a rule", copyWith((copy) => Object.assign(copy.rules[1]!, { burst: undefined })), "rules"],
    ["a field less in a rule", copyWith((copy) => Reflect.deleteProperty(copy.rules[1]!, "anchor")), "rules"],
    ["a rule more", copyWith((copy) => copy.rules.push(copy.rules[0]!)), "rules"],
    ["a rule less", copyWith((copy) => copy.rules.pop()), "rules"],
    ["rules in another order", copyWith((copy) => copy.rules.reverse()), "rules"],
    ["rules that are no array", copyWith((copy) => Object.assign(copy, { rules: { ...copy.rules } })), "rules"],
    ["a getter in a rule", copyWith((copy) => defineLimit(copy.rules[0]!)), "rules"],
    ["another name", copyWith((copy) => Object.assign(copy, { name: "b" })), "name"],
    ["no name", copyWith((copy) => Reflect.deleteProperty(copy, "name")), "name"],
    ["another block", copyWith((copy) => Object.assign(copy, { blockMs: 0 })), "blockMs"],
    ["a canonical text of another policy", copyWith((copy) => Object.assign(copy, { canonical: "1/s" })), "name"],
    ["a canonical text in other words", { ...parsePolicy("1/s"), canonical: "1/s" }, "canonical"],
    ["an invalid canonical text", copyWith((copy) => Object.assign(copy, { canonical: "1/x" })), "period"],
    ["a canonical that is no text", copyWith((copy) => Object.assign(copy, { canonical: copy })), "canonical"],
    ["a field more", copyWith((copy) => Object.assign(copy, { block: 5 })), "field"],
    ["no canonical", copyWith((copy) => Reflect.deleteProperty(copy, "canonical")), "field"],
  ])("refuses a copy with %s", (_, copy, field) => {
    expect(policyErrorOf(() => parseAnything(copy)).field).toBe(field)
  })
})

describe("parsePolicy().canonical", () => {
  test.each([
    ["100/minute", '[{"name":"default","algorithm":"gcra","limit":100,"period":60000}]'],
    [
      "10/s burst 20; 5/m sliding_window as b",
      '[{"name":"10-per-1s","algorithm":"gcra","limit":10,"period":1000,"burst":20},{"name":"b","algorithm":"sliding_window","limit":5,"period":60000}]',
    ],
  ])("of %j is %s", (text, canonical) => {
    expect(parsePolicy(text).canonical).toBe(canonical)
  })

  test("holds every field that is not a default, in one order, and the block once", () => {
    const policy = parsePolicy([
      { block: 1, refill: { every: 3_000, amount: 5 }, burst: 9, algorithm: "token_bucket", period: "1m", limit: 100 },
      { limit: 1, period: "1s", algorithm: "fixed_window", anchor: "epoch", offset: 7, block: 2, name: "b" },
      { limit: 1, period: "1s", algorithm: "fixed_window", anchor: "first", name: "c" },
    ])
    expect(policy.canonical).toBe(
      '[{"name":"100-per-1m","algorithm":"token_bucket","limit":100,"period":60000,"burst":9,' +
        '"refill":{"amount":5,"every":3000},"block":2},' +
        '{"name":"b","algorithm":"fixed_window","limit":1,"period":1000,"offset":7},' +
        '{"name":"c","algorithm":"fixed_window","limit":1,"period":1000,"anchor":"first"}]',
    )
    expect(parsePolicy(policy.canonical)).toEqual(policy)
  })

  test("is one for all ways to say the same", () => {
    const ways = [
      "60/minute as default",
      " 60 / 60 seconds gcra burst 60",
      { period: "60000ms", limit: 60, burst: 60, algorithm: "gcra" as const },
      ["60/1m"],
    ]
    expect(new Set(ways.map((way) => parsePolicy(way).canonical)).size).toBe(1)
  })

  test("differs where the rate alone is the same", () => {
    const ways = ["60/minute", "1/second", "60/minute as a", "60/minute leaky_bucket", "60/minute burst 61"]
    expect(new Set(ways.map((way) => parsePolicy(way).canonical)).size).toBe(ways.length)
  })

  test("of eight rules at their longest is still read", () => {
    const rules = Array.from({ length: 8 }, (_, index) => ({
      limit: 2 ** 31,
      period: 315_360_000_000,
      algorithm: "token_bucket" as const,
      burst: 2 ** 31 - 1,
      refill: { amount: 2 ** 30, every: 157_680_000_000 },
      block: 315_360_000_000,
      name: '"'.repeat(63) + index,
    }))
    const policy = parsePolicy(rules)
    expect(policy.name.length).toBe(519)
    expect(parsePolicy(policy.canonical)).toEqual(policy)
    expect(parsePolicy(JSON.stringify(policy))).toEqual(policy)
  })
})

describe("parsePolicy() freezes", () => {
  test("the policy, its rules and their refill", () => {
    const input = { limit: 10, period: "1s", algorithm: "token_bucket" as const, refill: { amount: 1, every: 100 } }
    const policy = parsePolicy(input)
    for (const part of [policy, policy.rules, policy.rules[0], policy.rules[0].refill]) {
      expect(Object.isFrozen(part)).toBe(true)
    }
    input.refill.amount = 5
    expect(policy.rules[0].refill).toEqual({ amount: 1, everyMs: 100 })
    expect(Object.isFrozen(input.refill)).toBe(false)
  })
})

function defineLimit(rule: Record<string, unknown>): void {
  Object.defineProperty(rule, "limit", { get: () => 100, enumerable: true })
}
