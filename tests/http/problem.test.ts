import { describe, expect, test } from "vitest"
import { costProblem, limiterUnavailable, problemResponse, quotaExceeded } from "../../src/http/problem.js"
import type { RuleDecision } from "../../src/types/decision.js"
import { denialOf } from "./fake-limiter.js"

const rule: RuleDecision = {
  policy: "burst",
  algorithm: "gcra",
  limit: 10,
  periodMs: 1_000,
  remaining: 0,
  retryAfterMs: 0,
  resetAfterMs: 0,
}

describe("quotaExceeded()", () => {
  test("is the draft's problem type with the exact wait", () => {
    expect(quotaExceeded(denialOf({ key: "secret", cost: 3, remaining: 2 }))).toEqual({
      type: "https://iana.org/assignments/http-problem-types#quota-exceeded",
      title: "Too Many Requests",
      status: 429,
      detail: 'The policy "default" admits this request in 4001 ms.',
      code: "RATE_LIMIT_EXCEEDED",
      "violated-policies": ["default"],
      reason: "limit",
      limit: 10,
      remaining: 2,
      cost: 3,
      retry_after_ms: 4_001,
      reset_after_ms: 60_000,
    })
  })

  test("names the rules that denied, and only those", () => {
    const rules = [
      { ...rule, retryAfterMs: 10 },
      { ...rule, policy: "hourly" },
      { ...rule, policy: "daily", retryAfterMs: 9_000 },
    ]
    expect(quotaExceeded(denialOf({ policy: "daily", rules }))["violated-policies"]).toEqual(["burst", "daily"])
  })

  test("names the policy where a block denied and no rule would have", () => {
    const rules = [rule, { ...rule, policy: "hourly" }]
    const problem = quotaExceeded(denialOf({ policy: "burst", reason: "blocked", rules }))
    expect(problem["violated-policies"]).toEqual(["burst"])
  })
})

test("limiterUnavailable() is a 503 that blames no policy", () => {
  const problem = limiterUnavailable(denialOf({ reason: "fail-closed" }))
  expect(problem).toMatchObject({
    ...{ type: "about:blank", title: "Service Unavailable", status: 503, code: "STORE_UNAVAILABLE" },
  })
  expect(problem).not.toHaveProperty("violated-policies")
})

describe("costProblem()", () => {
  test("carries the maximum", () => {
    expect(costProblem(11, 10)).toMatchObject({ status: 400, code: "COST_ABOVE_CAPACITY", cost: 11, maximum: 10 })
  })

  test.each([
    [Number.NaN, "COST_INVALID", "NaN"],
    [-1, "COST_INVALID", -1],
    [0.5, "COST_INVALID", 0.5],
    [Number.POSITIVE_INFINITY, "COST_ABOVE_CAPACITY", "Infinity"],
    [Symbol("own") as never, "COST_INVALID", "a symbol"],
  ])("carries the cost %s through JSON", (cost, code, written) => {
    expect(JSON.parse(JSON.stringify(costProblem(cost, 10)))).toMatchObject({ code, cost: written })
  })
})

test("problemResponse() is problem+json that no cache stores", async () => {
  const response = problemResponse(quotaExceeded(denialOf(), 420))
  expect(response.status).toBe(420)
  expect(response.headers.get("content-type")).toBe("application/problem+json")
  expect(response.headers.get("cache-control")).toBe("no-store")
  expect(await response.json()).toMatchObject({ status: 420 })
})
