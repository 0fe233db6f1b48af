import { describe, expect, test } from "vitest"
import { parsePolicy } from "../../src/policy/parse-policy.js"
import { CostError } from "../../src/types/errors.js"
import { OracleLimiter } from "./limiter.js"

describe("OracleLimiter", () => {
  test("check() charges all rules or none, and tells of the one that binds", () => {
    const limiter = new OracleLimiter(parsePolicy("10/second as fast; 12/minute as slow"))
    expect(limiter.check("a", 5, 0)).toMatchObject({ allowed: true, policy: "fast", remaining: 5 })
    // 0 of 10 and 2 of 12
    expect(limiter.check("a", 5, 0)).toMatchObject({ allowed: true, policy: "fast", remaining: 0 })
    // 3 units are 300 ms at 10/s; 13 of 12 are one unit too many, 5 s at 12/min
    expect(limiter.check("a", 3, 0)).toMatchObject({
      allowed: false,
      policy: "slow",
      limit: 12,
      remaining: 2,
      retryAfterMs: 5_000,
      resetAfterMs: 50_000,
      rules: [
        { policy: "fast", remaining: 0, retryAfterMs: 300, resetAfterMs: 1_000 },
        { policy: "slow", remaining: 2, retryAfterMs: 5_000, resetAfterMs: 50_000 },
      ],
    })
    expect(limiter.check("a", 2, 200)).toMatchObject({ allowed: true, policy: "fast", remaining: 0 })
  })

  test("check() and peek() refuse a cost that no rule of the policy can ever admit", () => {
    const limiter = new OracleLimiter(parsePolicy("10/second; 5/minute"))
    limiter.block("a", 1_000, 0)
    expect(() => limiter.check("a", 6, 0)).toThrow(new CostError("a", 6, 5))
    expect(() => limiter.peek("a", 6, 0)).toThrow(new CostError("a", 6, 5))
  })

  test("check() of cost 0 and peek() change nothing and give no receipt", () => {
    const limiter = new OracleLimiter(parsePolicy("3/second"))
    expect(limiter.check("a", 0, 0)).not.toHaveProperty("receipt")
    expect(limiter.peek("a", 3, 0)).toMatchObject({ allowed: true, remaining: 3, resetAfterMs: 0 })
    expect(limiter.check("a", 3, 0).receipt).toMatchObject({ key: "a", policy: "default", cost: 3, chargedAtMs: 0 })
  })

  test("block() denies until its end, which is free again", () => {
    const limiter = new OracleLimiter(parsePolicy("2/second"))
    limiter.check("a", 2, 0)
    limiter.block("a", 100, 0)
    expect(limiter.check("a", 1, 0)).toMatchObject({ allowed: false, reason: "blocked", retryAfterMs: 500 })
    expect(limiter.check("a", 0, 99)).toMatchObject({ allowed: false, reason: "blocked", retryAfterMs: 1 })
    expect(limiter.check("a", 0, 100)).toMatchObject({ allowed: true, reason: "ok" })
    limiter.block("a", 5_000, 100)
    expect(limiter.check("a", 1, 1_000)).toMatchObject({ reason: "blocked", retryAfterMs: 4_100, remaining: 2 })
    expect(limiter.unblock("a", 1_000)).toBe(true)
    expect(limiter.unblock("a", 1_000)).toBe(false)
    expect(limiter.check("a", 1, 1_000).allowed).toBe(true)
    limiter.block("a", 5_000, 1_000)
    expect(limiter.unblock("a", 6_000)).toBe(false)
  })

  test("check() under a block tells of the rule with the longest wait, of the least share left where none waits", () => {
    const limiter = new OracleLimiter(parsePolicy("5/second; 10/day"))
    limiter.check("a", 5, 0)
    limiter.block("a", 60_000, 0)
    expect(limiter.check("a", 2, 0)).toMatchObject({ reason: "blocked", policy: "5-per-1s", remaining: 0 })
    expect(limiter.check("a", 2, 1_000)).toMatchObject({ reason: "blocked", policy: "10-per-1d", remaining: 5 })
  })

  test("check() starts the policy's block once, when the quota denies", () => {
    const limiter = new OracleLimiter(parsePolicy({ limit: 1, period: "1s", block: "10s" }))
    limiter.check("a", 1, 0)
    expect(limiter.peek("a", 1, 0)).toMatchObject({ reason: "limit", retryAfterMs: 1_000 })
    expect(limiter.check("a", 1, 0)).toMatchObject({ reason: "limit", retryAfterMs: 10_000 })
    expect(limiter.check("a", 1, 9_999)).toMatchObject({ reason: "blocked", retryAfterMs: 1 })
    expect(limiter.check("a", 1, 10_000).allowed).toBe(true)
  })

  test("refund() knows a charge by the earliest time that its rules saw", () => {
    const limiter = new OracleLimiter(
      parsePolicy(["10/second", { limit: 10, period: "1s", algorithm: "fixed_window" }]),
    )
    limiter.check("a", 1, 1_000)
    expect(limiter.check("a", 4, 950).receipt?.chargedAtMs).toBe(950)
  })

  test("refund() of nothing, again, or an hour after all has leaked, changes nothing", () => {
    const limiter = new OracleLimiter(parsePolicy("1/second burst 3"))
    const receipt = limiter.check("a", 3, 10_000).receipt!
    limiter.refund(receipt, 1, 11_000)
    limiter.refund(receipt, 3, 11_000)
    expect(limiter.peek("a", 0, 10_000).remaining).toBe(0)

    const late = limiter.check("b", 3, 10_000).receipt!
    limiter.charge("b", 3, 10_000)
    limiter.refund(late, 3, 10_000 + 3_600_000 + 6_001)
    limiter.refund(late, 3, 10_000)
    expect(limiter.peek("b", 0, 10_000)).toMatchObject({ allowed: true, remaining: 0 })
    limiter.refund(limiter.check("c", 3, 0).receipt!, 3, 0)
    expect(limiter.peek("c", 0, 0).resetAfterMs).toBe(0)
  })

  test("check(), charge() and refund() heal what they made, as they heal what they found", () => {
    const checked = new OracleLimiter(parsePolicy("2/2ms"))
    checked.check("a", 1, 1_001)
    expect(checked.check("a", 1, 1_000)).toMatchObject({ resetAfterMs: 2, receipt: { chargedAtMs: 1_000 } })
    expect(checked.peek("a", 0, 1_001).resetAfterMs).toBe(1)
    const charged = new OracleLimiter(parsePolicy("2/2ms"))
    charged.check("a", 1, 1_001)
    charged.charge("a", 1, 1_000)
    expect(charged.peek("a", 0, 1_001).resetAfterMs).toBe(1)
  })

  test("peek() and a check of cost 0 see a healed state and leave it as it is, a denied check stores it", () => {
    const limiter = new OracleLimiter(parsePolicy("1/second"))
    limiter.check("a", 1, 5_000)
    for (const decision of [limiter.peek("a", 1, 2_000), limiter.check("a", 0, 2_000)]) {
      expect(decision.resetAfterMs).toBe(1_000)
    }
    expect(limiter.peek("a", 1, 5_000).resetAfterMs).toBe(1_000)
    expect(limiter.check("a", 1, 2_000).allowed).toBe(false)
    expect(limiter.peek("a", 1, 5_000).resetAfterMs).toBe(0)
  })

  test("check() tells waits of up to 2^46 ms", () => {
    const limiter = new OracleLimiter(
      parsePolicy({ limit: 1, period: "3650d", algorithm: "token_bucket", refill: { amount: 1, every: "3650d" } }),
    )
    limiter.charge("a", 223, 0)
    expect(limiter.peek("a", 1, 0).retryAfterMs).toBe(223 * 315_360_000_000)
    limiter.charge("a", 1, 0)
    expect(limiter.peek("a", 1, 0).retryAfterMs).toBe(2 ** 46)
  })

  test("mayForget() knows a full quota and an ended block that the clock went back before", () => {
    const limiter = new OracleLimiter(parsePolicy("1/second"))
    limiter.check("a", 1, 0)
    expect(limiter.mayForget("a", 999, 999, 500)).toBe(false)
    expect(limiter.mayForget("a", 1_000, 1_000, 500)).toBe(true)
    expect(limiter.mayForget("a", 2_000, 2_000, 1_000)).toBe(false)
    limiter.block("a", 5_000, 1_000)
    expect(limiter.mayForget("a", 5_999, 5_999, 1_000)).toBe(false)
    expect(limiter.mayForget("a", 6_000, 6_000, 5_999)).toBe(true)
  })

  test("reset() forgets usage and block", () => {
    const limiter = new OracleLimiter(parsePolicy("2/second"))
    limiter.check("a", 2, 0)
    limiter.block("a", 100, 0)
    expect(limiter.reset("a", 0)).toBe(true)
    expect(limiter.check("a", 2, 0).allowed).toBe(true)
    expect(limiter.reset("a", 1_000)).toBe(false)
  })

  test("setPolicy() carries used units over, by algorithm and period, else by place", () => {
    const limiter = new OracleLimiter(
      parsePolicy(["100/minute", { limit: 50, period: "1h", algorithm: "fixed_window" }]),
    )
    limiter.check("a", 30, 0)
    limiter.setPolicy(
      parsePolicy([
        { limit: 40, period: "1h", algorithm: "fixed_window" },
        { limit: 20, period: "1m" },
        { limit: 60, period: "2h", algorithm: "sliding_window_log" },
      ]),
      6_000,
    )
    // the hour's 30, the minute's 30 − 10, and the last old rule's 30
    expect(limiter.peek("a", 0, 6_000).rules).toMatchObject([
      { remaining: 10, resetAfterMs: 3_594_000 },
      { remaining: 0, resetAfterMs: 60_000 },
      { remaining: 30, resetAfterMs: 7_200_000 },
    ])
  })

  test("setPolicy() caps what was used at the new capacity and forgets debt above it", () => {
    const limiter = new OracleLimiter(parsePolicy("10/second"))
    limiter.charge("a", 1_000, 0)
    limiter.setPolicy(parsePolicy("5/second"), 0)
    expect(limiter.peek("a", 0, 0)).toMatchObject({ allowed: true, remaining: 0, resetAfterMs: 1_000 })
  })
})
