import { describe, expect, test } from "vitest"
import { laterDenial, tellsWaitOf } from "../../src/edge/later-denial.js"
import { parsePolicy } from "../../src/policy/parse-policy.js"
import type { Algorithm } from "../../src/types/algorithm.js"
import { makeDecision } from "../make-decision.js"

/** A denial of 2 units with 1 left of 10 a minute. */
const denialBy = (algorithm: Algorithm) =>
  makeDecision({
    allowed: false,
    algorithm,
    limit: 10,
    remaining: 1,
    cost: 2,
    retryAfterMs: 6_000,
    resetAfterMs: 54_000,
    reason: "limit",
  })

describe("of an algorithm that it does not know", () => {
  const unknown = "unknown" as Algorithm
  const parsed = parsePolicy("10/minute")
  const policy = { ...parsed, rules: [{ ...parsed.rules[0], algorithm: unknown }] as const }

  test("laterDenial() lets a greater cost wait until the quota is full", () => {
    expect(laterDenial(denialBy("gcra"), parsed, 5, 1_000).retryAfterMs).toBe(23_000)
    expect(laterDenial(denialBy(unknown), policy, 5, 1_000).retryAfterMs).toBe(53_000)
  })

  test("tellsWaitOf() says that the wait of a greater cost is not told", () => {
    const costs = [2, 5]
    expect(costs.map((cost) => tellsWaitOf(denialBy("gcra"), cost))).toEqual([true, true])
    expect(costs.map((cost) => tellsWaitOf(denialBy(unknown), cost))).toEqual([true, false])
  })
})
