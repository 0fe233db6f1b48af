import { describe, expect, test } from "vitest"
import { LookCache } from "../../src/edge/look-cache.js"
import { ManualClock, type PolicyInput, parsePolicy, RateLimiter } from "../../src/index.js"
import { copyDecision } from "../../src/limiter/copy-decision.js"

/** A limiter far away, and a cache of what is told of its keys, both under one clock. */
function looked(input: PolicyInput, bounds: { readonly maxKeys?: number; readonly maxAgeMs?: number } = {}) {
  const policy = parsePolicy(input)
  const clock = new ManualClock(1_000_000_000)
  const limiter = new RateLimiter(policy, { clock })
  const cache = new LookCache({ maxKeys: 10, maxAgeMs: 10_000, clock, ...bounds })
  return { policy, clock, limiter, cache }
}

describe("LookCache", () => {
  test("tells what was found beside a denial as it is by now: its times are shorter", () => {
    const { clock, cache, policy, limiter } = looked("5/second; 1/second leaky_bucket burst 9 as pace")
    limiter.check("a", { cost: 3 })
    cache.note("a", policy, limiter.peek("a"))
    clock.advance(300)
    const now = limiter.peek("a")
    expect(now).toMatchObject({ delayMs: 2_700, resetAfterMs: 300 })
    const { delayMs, resetAfterMs, rules } = cache.find("a", policy, 1)!
    expect({ delayMs, resetAfterMs }).toEqual({ delayMs: now.delayMs, resetAfterMs: now.resetAfterMs })
    expect(rules!.map((rule) => rule.resetAfterMs)).toEqual(now.rules!.map((rule) => rule.resetAfterMs))
    clock.advance(3_000)
    expect(cache.find("a", policy, 1)).toMatchObject({ delayMs: 0, resetAfterMs: 0 })
  })

  test("tells a denial until its time to retry, and nothing of another cost or policy", () => {
    const { clock, cache, policy, limiter } = looked("1/second")
    limiter.check("a")
    cache.note("a", policy, limiter.peek("a"))
    clock.advance(999)
    expect(cache.find("a", policy, 1)).toMatchObject({ allowed: false, retryAfterMs: 1 })
    expect([cache.find("a", policy, 2), cache.find("a", parsePolicy("2/second"), 1)]).toEqual([null, null])
    clock.advance(1)
    expect(cache.find("a", policy, 1)).toBeNull()
  })

  test("knows of a charge what the next check is told, where it left enough for it", () => {
    const { cache, policy, limiter } = looked("3/second leaky_bucket burst 3")
    cache.note("a", policy, copyDecision(limiter.check("a")))
    expect(cache.find("a", policy, 1)).toMatchObject({ allowed: true, delayMs: limiter.peek("a").delayMs })
    expect(cache.find("a", policy, 1)).not.toHaveProperty("receipt")
    limiter.check("a")
    cache.note("a", policy, copyDecision(limiter.check("a")))
    expect(cache.find("a", policy, 1)).toBeNull()
  })

  test("knows for five seconds that a look got no answer, or maxAgeMs if that is less", () => {
    for (const maxAgeMs of [10_000, 300]) {
      const { clock, cache, policy, limiter } = looked("1/second", { maxAgeMs })
      cache.note("a", policy, { ...limiter.peek("a"), reason: "fail-open" })
      clock.advance(Math.min(maxAgeMs, 5_000) - 1)
      expect(cache.find("a", policy, 1)).toMatchObject({ reason: "fail-open" })
      clock.advance(1)
      expect(cache.find("a", policy, 1)).toBeNull()
    }
  })

  test("forgets after maxAgeMs, and beyond maxKeys what was noted longest ago", () => {
    const { clock, cache, policy, limiter } = looked("1/minute", { maxAgeMs: 50, maxKeys: 2 })
    for (const key of ["a", "b", "a", "c"]) cache.note(key, policy, limiter.peek(key))
    const knows = () => ["a", "b", "c"].map((key) => cache.find(key, policy, 1) !== null)
    expect(knows()).toEqual([true, false, true])
    cache.forget("a")
    expect(knows()).toEqual([false, false, true])
    clock.advance(50)
    expect(knows()).toEqual([false, false, false])
  })

  test("take() lets sixteen objects be looked at beside the denial of a key in ten seconds", () => {
    const { clock, cache } = looked("1/minute")
    expect([9, 9, 9].map((wanted) => cache.take("a", wanted))).toEqual([9, 7, 0])
    clock.advance(9_999)
    expect(cache.take("a", 1)).toBe(0)
    clock.advance(1)
    expect(cache.take("a", 20)).toBe(16)
  })
})
