import { describe, expect, test } from "vitest"
import { HoldCache } from "../../src/edge/hold-cache.js"
import { ManualClock, type PolicyInput, parsePolicy, RateLimiter } from "../../src/index.js"
import { copyDecision } from "../../src/limiter/copy-decision.js"

/** A limiter far away, in front of which a cache stands, both under one clock. */
function held(input: PolicyInput, bounds: { readonly maxKeys?: number; readonly maxAgeMs?: number } = {}) {
  const policy = parsePolicy(input)
  const clock = new ManualClock(1_000_000_000)
  const limiter = new RateLimiter(policy, { clock })
  const cache = new HoldCache({ maxKeys: 10, maxAgeMs: 10_000, clock, ...bounds })
  const check = (key: string) => cache.note(key, policy, copyDecision(limiter.check(key)), clock.now())
  return { policy, clock, limiter, cache, check }
}

describe("HoldCache", () => {
  test("knows that a leaky bucket would hold a request for too long, until it would not", () => {
    const { clock, check, cache, policy, limiter } = held("1/second leaky_bucket burst 9")
    check("a")
    check("a")
    expect(cache.find("a", policy, 1, 2_000)).toBeNull()
    clock.advance(300)
    const told = cache.find("a", policy, 1, 1_500)
    expect(told).toEqual({ ...limiter.peek("a"), reason: "cached" })
    expect(told).toMatchObject({ allowed: true, delayMs: 1_700, resetAfterMs: 1_700 })
    clock.advance(199)
    expect(cache.find("a", policy, 1, 1_500)).toMatchObject({ delayMs: 1_501 })
    // One that has no room for the cost may be denied for longer.
    expect(cache.find("a", policy, 8, 1_500)).toBeNull()
    clock.advance(1)
    expect(cache.find("a", policy, 1, 1_500)).toBeNull()
    expect(cache.find("a", parsePolicy("2/second leaky_bucket"), 1, 0)).toBeNull()
  })

  test("knows of a hold by the leaky buckets of several rules, and as far as the way of the answer lets it", () => {
    const { clock, cache, policy, limiter } = held("5/second; 1/second leaky_bucket burst 9")
    const askedAtMs = clock.now()
    clock.advance(100)
    const told = copyDecision(limiter.check("a"))
    clock.advance(100)
    cache.note("a", policy, told, askedAtMs)
    expect(cache.find("a", policy, 1, 799)).toMatchObject({ delayMs: 1_000, rules: [{}, { resetAfterMs: 1_000 }] })
    expect(cache.find("a", policy, 1, 800)).toBeNull()
  })

  test("isHeld() tells what find() would, and is no hit", () => {
    const { check, cache, policy } = held("1/second leaky_bucket burst 9")
    check("a")
    expect([999, 1_000].map((mostMs) => cache.isHeld("a", policy, 1, mostMs))).toEqual([true, false])
    expect(cache.hits).toBe(0)
    cache.find("a", policy, 1, 999)
    cache.find("a", policy, 1, 1_000)
    expect(cache.hits).toBe(1)
  })

  test("forgets after maxAgeMs, and beyond maxKeys what was noted longest ago", () => {
    const { clock, check, cache, policy } = held("1/minute leaky_bucket burst 9", { maxAgeMs: 50, maxKeys: 2 })
    for (const key of ["a", "b", "a", "c"]) check(key)
    const knows = () => ["a", "b", "c"].map((key) => cache.isHeld(key, policy, 1, 10))
    expect(knows()).toEqual([true, false, true])
    cache.forget("a")
    expect(knows()).toEqual([false, false, true])
    clock.advance(49)
    expect(knows()).toEqual([false, false, true])
    clock.advance(1)
    expect(knows()).toEqual([false, false, false])
  })
})
