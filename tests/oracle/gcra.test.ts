import { describe, expect, test } from "vitest"
import { parsePolicy } from "../../src/policy/parse-policy.js"
import { OracleLimiter } from "./limiter.js"

const perSecond = (algorithm: "gcra" | "token_bucket" | "leaky_bucket", burst: number) =>
  new OracleLimiter(parsePolicy({ limit: 10, period: "1s", burst, algorithm }))

describe.each(["gcra", "token_bucket", "leaky_bucket"] as const)("oracle of %s", (algorithm) => {
  test("admits the burst, then one unit per emission interval", () => {
    const limiter = perSecond(algorithm, 3)
    for (const [remaining, resetAfterMs] of [
      [2, 100],
      [1, 200],
      [0, 300],
    ]) {
      // biome-ignore format: a table
      expect(limiter.check("a", 1, 1_000)).toMatchObject({ allowed: true, remaining, resetAfterMs, retryAfterMs: 0 })
    }
    expect(limiter.check("a", 1, 1_000)).toMatchObject({ allowed: false, remaining: 0, retryAfterMs: 100 })
    expect(limiter.check("a", 1, 1_099)).toMatchObject({ allowed: false, resetAfterMs: 201, retryAfterMs: 1 })
    expect(limiter.check("a", 1, 1_100)).toMatchObject({ allowed: true, remaining: 0, resetAfterMs: 300 })
    expect(limiter.check("a", 2, 1_100)).toMatchObject({ allowed: false, retryAfterMs: 200, remaining: 0 })
  })

  test("does not drift where the interval is no whole number: 3 per 10 ms, burst 2", () => {
    const limiter = new OracleLimiter(parsePolicy({ limit: 3, period: 10, burst: 2, algorithm }))
    expect(limiter.check("a", 2, 0).resetAfterMs).toBe(7)
    const admitted = []
    for (let nowMs = 0; nowMs <= 30; nowMs++) if (limiter.check("a", 1, nowMs).allowed) admitted.push(nowMs)
    expect(admitted).toEqual([4, 7, 10, 14, 17, 20, 24, 27, 30])
  })

  test("gives back what cannot have leaked since the charge", () => {
    const limiter = perSecond(algorithm, 10)
    const first = limiter.check("a", 10, 0).receipt!
    limiter.refund(first, 8, 500)
    expect(limiter.peek("a", 0, 500)).toMatchObject({ remaining: 8, resetAfterMs: 200 })
    limiter.refund(first, 8, 500)
    expect(limiter.peek("a", 0, 500).remaining).toBe(8)
    const late = limiter.check("b", 10, 0).receipt!
    limiter.refund(late, 4, 500)
    expect(limiter.peek("b", 0, 500).remaining).toBe(5)
  })

  test("goes into debt by a charge, and then denies even cost 0", () => {
    const limiter = perSecond(algorithm, 10)
    limiter.charge("a", 25, 0)
    expect(limiter.peek("a", 0, 0)).toMatchObject({ allowed: false, retryAfterMs: 1_500, resetAfterMs: 2_500 })
    expect(limiter.peek("a", 1, 0)).toMatchObject({ allowed: false, retryAfterMs: 1_600, remaining: 0 })
    expect(limiter.check("a", 1, 1_599).allowed).toBe(false)
    expect(limiter.check("a", 1, 1_600).allowed).toBe(true)
  })

  test("lets debt reach 2^46 ms and no further", () => {
    const limiter = new OracleLimiter(parsePolicy({ limit: 1, period: "3650d", algorithm }))
    limiter.charge("a", 2 ** 31, 0)
    expect(limiter.peek("a", 0, 0).resetAfterMs).toBe(2 ** 46)
    limiter.charge("a", 2 ** 31, 5)
    expect(limiter.peek("a", 0, 5).resetAfterMs).toBe(2 ** 46)
  })

  test("stands still while the clock is set back, and heals where the arrival time lies too far ahead", () => {
    const limiter = perSecond(algorithm, 10)
    limiter.check("a", 1, 1_000)
    expect(limiter.peek("a", 10, 950)).toMatchObject({ remaining: 9, retryAfterMs: 150, resetAfterMs: 150 })
    expect(limiter.peek("a", 10, 100)).toMatchObject({ remaining: 9, retryAfterMs: 1_000, resetAfterMs: 1_000 })
    expect(limiter.peek("a", 10, 99)).toMatchObject({ remaining: 9, retryAfterMs: 100, resetAfterMs: 100 })
    expect(limiter.peek("a", 10, 1_000).resetAfterMs).toBe(100)
    limiter.check("a", 10, 99)
    expect(limiter.peek("a", 10, 1_000).resetAfterMs).toBe(0)
  })
})

describe("oracle of leaky_bucket", () => {
  test("holds an admitted request until its departure", () => {
    const limiter = perSecond("leaky_bucket", 3)
    expect(limiter.check("a", 1, 1_000).delayMs).toBe(0)
    expect(limiter.check("a", 1, 1_000).delayMs).toBe(100)
    expect(limiter.check("a", 1, 1_050).delayMs).toBe(150)
    expect(limiter.check("a", 1, 1_050)).toMatchObject({ allowed: false, delayMs: 0 })
    expect(limiter.peek("a", 0, 1_050).delayMs).toBe(250)
    expect(perSecond("gcra", 3).check("a", 3, 0).delayMs).toBe(0)
  })
})
