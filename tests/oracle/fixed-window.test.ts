import { describe, expect, test } from "vitest"
import { parsePolicy } from "../../src/policy/parse-policy.js"
import type { RuleInput } from "../../src/policy/policy.js"
import { OracleLimiter } from "./limiter.js"

const fixed = (more: Partial<RuleInput> = {}) =>
  new OracleLimiter(parsePolicy({ limit: 3, period: "1s", algorithm: "fixed_window", ...more }))

describe("oracle of fixed_window", () => {
  test("counts in windows of the epoch", () => {
    const limiter = fixed()
    expect(limiter.check("a", 2, 1_900)).toMatchObject({ remaining: 1, resetAfterMs: 100 })
    expect(limiter.check("a", 2, 1_999)).toMatchObject({ allowed: false, remaining: 1, retryAfterMs: 1 })
    expect(limiter.check("a", 3, 2_000)).toMatchObject({ allowed: true, remaining: 0, resetAfterMs: 1_000 })
  })

  test("shifts its windows by the offset, before the epoch too", () => {
    const limiter = fixed({ offset: 250 })
    expect(limiter.check("a", 3, 10).resetAfterMs).toBe(240)
    expect(limiter.peek("a", 1, 249)).toMatchObject({ allowed: false, retryAfterMs: 1 })
    expect(limiter.check("a", 3, 250)).toMatchObject({ allowed: true, resetAfterMs: 1_000 })
  })

  test("opens a window with the first charge where it is anchored there", () => {
    const limiter = fixed({ anchor: "first" })
    expect(limiter.check("a", 3, 1_900).resetAfterMs).toBe(1_000)
    expect(limiter.peek("a", 1, 2_899)).toMatchObject({ allowed: false, retryAfterMs: 1 })
    expect(limiter.check("a", 1, 3_333)).toMatchObject({ remaining: 2, resetAfterMs: 1_000 })
  })

  test("gives back to the window that was charged only", () => {
    const limiter = fixed()
    const early = limiter.check("a", 2, 1_500).receipt!
    limiter.refund(early, 1, 1_999)
    expect(limiter.peek("a", 0, 1_999).remaining).toBe(2)
    const previous = limiter.check("a", 2, 1_999).receipt!
    limiter.check("a", 2, 2_000)
    limiter.refund(previous, 2, 2_000)
    expect(limiter.peek("a", 0, 2_000).remaining).toBe(1)
  })

  test("forgets debt with its window, and counts it up to 2^32 - 1", () => {
    const limiter = fixed({ limit: 2 ** 31 })
    const receipt = limiter.check("a", 2 ** 31, 0).receipt!
    limiter.charge("a", 2 ** 31, 0)
    limiter.charge("a", 2 ** 31, 0)
    expect(limiter.peek("a", 0, 0)).toMatchObject({ allowed: false, remaining: 0, retryAfterMs: 1_000 })
    limiter.refund(receipt, 2 ** 31, 0)
    expect(limiter.peek("a", 0, 0)).toMatchObject({ allowed: true, remaining: 1 })
    expect(limiter.peek("a", 0, 1_000)).toMatchObject({ allowed: true, remaining: 2 ** 31 })
  })

  test("keeps its count for one length where the clock is set back before its window, then is on the grid again", () => {
    const epoch = fixed()
    epoch.check("a", 3, 5_500)
    expect(epoch.peek("a", 1, 5_000)).toMatchObject({ allowed: false, retryAfterMs: 1_000 })
    expect(epoch.check("a", 1, 4_800)).toMatchObject({ allowed: false, retryAfterMs: 1_000 })
    expect(epoch.peek("a", 1, 5_799)).toMatchObject({ allowed: false, retryAfterMs: 1 })
    expect(epoch.check("a", 3, 5_800)).toMatchObject({ allowed: true, resetAfterMs: 200 })
    const first = fixed({ anchor: "first" })
    first.check("a", 3, 5_500)
    expect(first.check("a", 1, 4_800)).toMatchObject({ allowed: false, retryAfterMs: 1_000 })
    expect(first.check("a", 1, 5_800)).toMatchObject({ allowed: true })
  })
})
