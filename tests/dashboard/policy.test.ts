import { join } from "node:path"
import { describe, expect, test } from "vitest"
import { parsePolicy } from "../../src/policy/parse-policy.js"
import type { PolicyInput } from "../../src/policy/policy.js"
import { ALGORITHMS } from "../../src/types/algorithm.js"

interface DashboardPolicy {
  readonly ALGORITHMS: readonly string[]
  has(algorithm: string, field: string): boolean
  capacityOf(rule: unknown): number
  rateText(rule: unknown): string
  shortForm(rules: unknown): string | null
  editable(rules: unknown): string
  policyText(rules: unknown): string
}

const page = (await import(join(import.meta.dirname, "../../worker/dashboard/policy.js"))) as DashboardPolicy

const rulesOf = (input: PolicyInput) => JSON.parse(parsePolicy(input).canonical) as Record<string, unknown>[]

const BURSTS = [undefined, 1, 3, 5, 50]
const FIELDS: Record<string, unknown> = { burst: 2, refill: { amount: 1, every: "1s" }, anchor: "first", offset: "1s" }

/** Every algorithm with rates, bursts, names and what only it has, alone and in pairs. */
function manyPolicies(): PolicyInput[] {
  const rules = ALGORITHMS.flatMap((algorithm) =>
    ["1s", "90s", "15m", "1d", "2w", 250].flatMap((period) =>
      BURSTS.filter((burst) => burst === undefined || page.has(algorithm, "burst")).flatMap((burst) =>
        [undefined, "api", "two words", "5-per-1s", "5-per-1s-2", "default"].map((name) => ({
          ...{ limit: 5, period, algorithm },
          ...(burst !== undefined && { burst }),
          ...(name !== undefined && { name }),
        })),
      ),
    ),
  )
  const special: PolicyInput[] = [
    { limit: 10, period: "10s", algorithm: "token_bucket", refill: { amount: 1, every: "1s" } },
    { limit: 10, period: "1h", algorithm: "fixed_window", anchor: "first", block: "15m", name: 'a "b"' },
    { limit: 10, period: "1h", algorithm: "fixed_window", offset: "90s" },
    ["5/second", "5/second", "5/second"],
    ["5/second as 5-per-1s-2", "5/second"],
    ["5/second as 5-per-1s-3", "5/second"],
    ["5/second as 5-per-1s", "5/second", "6/minute as 5-per-1s-7"],
    [{ limit: 5, period: "1s", block: "1m" }, "1000/hour as slow"],
  ]
  const pairs = rules.map((rule, index): PolicyInput => {
    const other = rules[(index * 7 + 3) % rules.length]!
    return rule.name === other.name ? [{ ...rule, name: "one" }, other] : [rule, other]
  })
  return [...rules, ...special, ...pairs]
}

describe("what the dashboard says of policies", () => {
  test("capacityOf is the capacity that the policy has", () => {
    for (const input of manyPolicies()) {
      expect(rulesOf(input).map(page.capacityOf)).toEqual(parsePolicy(input).rules.map(({ capacity }) => capacity))
    }
  })

  test("editable reads back to the same policy, and is in short form wherever that can say it", () => {
    let short = 0
    for (const input of manyPolicies()) {
      const rules = rulesOf(input)
      const text = page.editable(rules)
      expect(parsePolicy(text).canonical, text).toBe(parsePolicy(input).canonical)
      const isPlain = rules.every(
        ({ name, ...rule }) =>
          !/[\s"]/.test(name as string) &&
          Object.keys(FIELDS).every((f) => f === "burst" || !rule[f]) &&
          !rule["block"],
      )
      expect(page.shortForm(rules), text).toBe(isPlain ? text : null)
      if (isPlain) short++
    }
    expect(short).toBeGreaterThan(100)
  })

  test("rules are written as people write them, and names only where they were given", () => {
    const texts = [
      "10/second burst 20; 1000/hour",
      "100/15m sliding_window as api",
      "5/1500ms",
      "5/second; 5/second",
      "3/day fixed_window; 9/2w as default",
    ]
    for (const text of texts) expect(page.policyText(rulesOf(text))).toBe(text)
  })

  test("what the short form cannot say stands in parentheses", () => {
    const stepped = rulesOf({ limit: 10, period: "10s", algorithm: "token_bucket", refill: { amount: 1, every: "1s" } })
    expect(page.policyText(stepped)).toBe("10/10s token_bucket (refill 1 per 1s)")
    const windows = rulesOf({
      limit: 5,
      period: "1m",
      algorithm: "fixed_window",
      offset: 500,
      block: "1h",
      name: "a b",
    })
    expect(page.policyText(windows)).toBe('5/minute fixed_window (offset 500ms, block 1h, name "a b")')
  })

  test("has knows the fields that parsePolicy takes with each algorithm", () => {
    expect(page.ALGORITHMS).toEqual(ALGORITHMS)
    for (const algorithm of ALGORITHMS) {
      for (const [field, value] of Object.entries(FIELDS)) {
        const define = () => parsePolicy({ limit: 5, period: "5s", algorithm, [field]: value })
        if (page.has(algorithm, field)) expect(define, `${algorithm} ${field}`).not.toThrow()
        else expect(define, `${algorithm} ${field}`).toThrow(/allowed is none/)
      }
    }
  })
})
