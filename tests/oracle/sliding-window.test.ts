import { describe, expect, test } from "vitest"
import { parsePolicy } from "../../src/policy/parse-policy.js"
import { OracleLimiter } from "./limiter.js"

const sliding = () => new OracleLimiter(parsePolicy({ limit: 10, period: "1s", algorithm: "sliding_window" }))

describe("oracle of sliding_window", () => {
  test("weighs the previous window by what is left of it", () => {
    const limiter = sliding()
    expect(limiter.check("a", 10, 500)).toMatchObject({ remaining: 0, resetAfterMs: 1_401 })
    expect(limiter.check("a", 1, 500)).toMatchObject({ allowed: false, retryAfterMs: 501 })
    expect(limiter.peek("a", 5, 1_000)).toMatchObject({ allowed: false, remaining: 0, retryAfterMs: 401 })
    expect(limiter.check("a", 1, 1_001)).toMatchObject({ allowed: true, remaining: 0 })
    // 10 · 0.749 = 7.49 and 1 of the current window
    expect(limiter.peek("a", 3, 1_251)).toMatchObject({ allowed: false, remaining: 2, retryAfterMs: 50 })
    // the one unit counts as 1 · (1000 − e)/1000 in the next window: none from its first millisecond on
    expect(limiter.peek("a", 0, 1_900).resetAfterMs).toBe(101)
  })

  test("gives back to the window of the charge, current or previous", () => {
    const limiter = sliding()
    const first = limiter.check("a", 6, 900).receipt!
    const second = limiter.check("a", 4, 999).receipt!
    limiter.refund(first, 2, 950)
    expect(limiter.peek("a", 0, 999).remaining).toBe(2)
    limiter.refund(second, 4, 1_500)
    expect(limiter.peek("a", 0, 1_500).remaining).toBe(8)
    const late = limiter.check("a", 2, 1_500).receipt!
    limiter.check("a", 5, 3_000)
    limiter.refund(late, 2, 3_000)
    expect(limiter.peek("a", 0, 3_000).remaining).toBe(5)
  })

  test("carries debt into the next window", () => {
    const limiter = sliding()
    limiter.charge("a", 40, 0)
    expect(limiter.peek("a", 0, 0)).toMatchObject({ allowed: false, remaining: 0, retryAfterMs: 1_726 })
  })

  test("stands still while the clock is set back, and takes what was used along where it jumped", () => {
    const limiter = sliding()
    limiter.check("a", 10, 5_500)
    // full again at 6,901: 1,401 ms after the charge, 2,000 at most
    expect(limiter.peek("a", 1, 4_901)).toMatchObject({ allowed: false, retryAfterMs: 1_100, resetAfterMs: 2_000 })
    expect(limiter.peek("a", 1, 4_900)).toMatchObject({ allowed: false, retryAfterMs: 101, resetAfterMs: 1_001 })
  })
})
