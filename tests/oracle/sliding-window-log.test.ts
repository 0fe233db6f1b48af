import { describe, expect, test } from "vitest"
import { parsePolicy } from "../../src/policy/parse-policy.js"
import { OracleLimiter } from "./limiter.js"

const log = (limit = 3) => new OracleLimiter(parsePolicy({ limit, period: "1s", algorithm: "sliding_window_log" }))

describe("oracle of sliding_window_log", () => {
  test("frees each charge exactly one period after it", () => {
    const limiter = log()
    limiter.check("a", 1, 0)
    limiter.check("a", 1, 100)
    expect(limiter.check("a", 1, 100)).toMatchObject({ remaining: 0, resetAfterMs: 1_000 })
    expect(limiter.peek("a", 1, 500)).toMatchObject({ allowed: false, retryAfterMs: 500, resetAfterMs: 600 })
    expect(limiter.peek("a", 2, 500)).toMatchObject({ allowed: false, retryAfterMs: 600 })
    expect(limiter.check("a", 1, 999).allowed).toBe(false)
    expect(limiter.check("a", 1, 1_000)).toMatchObject({ allowed: true, remaining: 0, resetAfterMs: 1_000 })
    expect(limiter.peek("a", 0, 1_100).remaining).toBe(2)
  })

  test("gives back to the charge's own millisecond while it counts", () => {
    const limiter = log()
    const first = limiter.check("a", 2, 0).receipt!
    const second = limiter.check("a", 1, 500).receipt!
    limiter.refund(first, 1, 999)
    expect(limiter.peek("a", 0, 999).remaining).toBe(1)
    limiter.refund(second, 1, 1_500)
    expect(limiter.peek("a", 0, 1_500).remaining).toBe(3)
    const third = limiter.check("b", 1, 0).receipt!
    limiter.refund(third, 1, 0)
    expect(limiter.peek("b", 0, 0).resetAfterMs).toBe(0)
  })

  test("stops counting debt at 2^32 - 1", () => {
    const limiter = log(2 ** 31)
    const receipt = limiter.check("a", 2 ** 31, 0).receipt!
    limiter.charge("a", 2 ** 31, 1)
    limiter.charge("a", 2 ** 31, 2)
    expect(limiter.peek("a", 0, 2)).toMatchObject({ allowed: false, retryAfterMs: 998, resetAfterMs: 999 })
    limiter.refund(receipt, 2 ** 31, 2)
    expect(limiter.peek("a", 0, 2)).toMatchObject({ allowed: true, remaining: 1 })
  })

  test("shifts every entry where the clock was set back", () => {
    const limiter = log()
    limiter.check("a", 1, 5_000)
    limiter.check("a", 2, 5_400)
    expect(limiter.peek("a", 1, 3_000)).toMatchObject({ allowed: false, retryAfterMs: 600, resetAfterMs: 1_000 })
    expect(limiter.check("a", 2, 3_000)).toMatchObject({ allowed: false, retryAfterMs: 1_000 })
    expect(limiter.peek("a", 0, 3_600).remaining).toBe(1)
    expect(limiter.peek("a", 0, 4_000).remaining).toBe(3)
  })
})
