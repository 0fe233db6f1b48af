import { describe, expect, test } from "vitest"
import { parsePolicy } from "../../src/policy/parse-policy.js"
import { OracleLimiter } from "./limiter.js"

const steps = () =>
  new OracleLimiter(
    parsePolicy({ limit: 10, period: "1s", algorithm: "token_bucket", refill: { amount: 5, every: 500 } }),
  )

describe("oracle of token_bucket with steps", () => {
  test("starts its clock with the first charge and keeps it through later ones", () => {
    const limiter = steps()
    expect(limiter.check("a", 7, 1_200)).toMatchObject({ remaining: 3, resetAfterMs: 1_000 })
    expect(limiter.check("a", 5, 1_699)).toMatchObject({ allowed: false, remaining: 3, retryAfterMs: 1 })
    expect(limiter.peek("a", 9, 1_700)).toMatchObject({ allowed: false, remaining: 8, retryAfterMs: 500 })
    expect(limiter.check("a", 5, 1_900)).toMatchObject({ allowed: true, remaining: 3, resetAfterMs: 800 })
    expect(limiter.peek("a", 0, 2_199).remaining).toBe(3)
    expect(limiter.peek("a", 0, 2_200).remaining).toBe(8)
    expect(limiter.peek("a", 0, 2_700)).toMatchObject({ remaining: 10, resetAfterMs: 0 })
    expect(limiter.check("a", 1, 2_701)).toMatchObject({ remaining: 9, resetAfterMs: 500 })
  })

  test("gives back what no step since the charge can have brought", () => {
    const limiter = steps()
    const receipt = limiter.check("a", 10, 1_000).receipt!
    limiter.refund(receipt, 8, 1_001)
    expect(limiter.peek("a", 0, 1_001)).toMatchObject({ remaining: 3, resetAfterMs: 999 })
    const other = limiter.check("b", 4, 1_000).receipt!
    limiter.refund(other, 4, 1_000)
    expect(limiter.check("b", 1, 1_300).resetAfterMs).toBe(500)
  })

  test("goes into debt by a charge, at most 2^32 - 1 units", () => {
    const limiter = steps()
    limiter.charge("a", 16, 0)
    expect(limiter.peek("a", 0, 0)).toMatchObject({ allowed: false, retryAfterMs: 1_000, resetAfterMs: 2_000 })
    expect(limiter.peek("a", 1, 600)).toMatchObject({ allowed: false, remaining: 0, retryAfterMs: 400 })
    limiter.charge("b", 2 ** 31, 0)
    expect(limiter.peek("b", 0, 0).resetAfterMs).toBe(Math.ceil(2 ** 31 / 5) * 500)
    limiter.charge("b", 2 ** 31, 0)
    expect(limiter.peek("b", 0, 0).resetAfterMs).toBe(Math.ceil((2 ** 32 - 1) / 5) * 500)
  })

  test("stands still before its last step, and restarts the step where the clock jumped", () => {
    const limiter = steps()
    limiter.check("a", 1, 1_000)
    expect(limiter.peek("a", 10, 999)).toMatchObject({ retryAfterMs: 501, remaining: 9 })
    expect(limiter.peek("a", 10, 500)).toMatchObject({ retryAfterMs: 1_000 })
    expect(limiter.peek("a", 10, 499)).toMatchObject({ retryAfterMs: 500, remaining: 9 })
    limiter.check("b", 10, 1_000)
    limiter.check("b", 5, 1_700)
    expect(limiter.peek("b", 1, 1_600)).toMatchObject({ retryAfterMs: 400 })
  })
})
