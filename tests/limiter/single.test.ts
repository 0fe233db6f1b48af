import { describe, expect, test } from "vitest"
import { CostError, ManualClock, PolicyError, RateLimiter } from "../../src/index.js"
import {
  FixedWindow,
  Gcra,
  LeakyBucket,
  SlidingWindow,
  SlidingWindowLog,
  TokenBucket,
} from "../../src/limiter/single/index.js"
import { START_MS } from "../start-ms.js"

describe("TokenBucket", () => {
  test("starts full, refills at the rate up to its capacity", () => {
    const clock = new ManualClock(START_MS)
    const bucket = new TokenBucket({ rate: 10, capacity: 20, clock })
    expect([bucket.capacity, bucket.available]).toEqual([20, 20])
    expect(bucket.check(15)).toMatchObject({ allowed: true, remaining: 5, algorithm: "token_bucket" })
    expect(bucket.retryAfterMs(10)).toBe(500)
    clock.advance(499)
    expect(bucket.allow(10)).toBe(false)
    clock.advance(1)
    expect(bucket.allow(10)).toBe(true)
    clock.advance(60_000)
    expect(bucket.available).toBe(20)
    expect(bucket.resetAfterMs).toBe(0)
  })

  test("refund() looks at the clock once: what is charged now has not leaked while it looks", () => {
    const looksMs = [0, 0, 1_000, 1_000]
    const bucket = new TokenBucket({ rate: "1/second", capacity: 5, clock: { now: () => START_MS + looksMs.shift()! } })
    expect(bucket.allow(5)).toBe(true)
    bucket.refund(2)
    // Two that were given back, and one that a second refills.
    expect(bucket.available).toBe(3)
  })

  test("refills in steps where told to", () => {
    const clock = new ManualClock(START_MS)
    const bucket = new TokenBucket({ rate: 10, capacity: 20, refill: { amount: 20, every: "2s" }, clock })
    bucket.allow(20)
    clock.advance(1_999)
    expect(bucket.available).toBe(0)
    clock.advance(1)
    expect(bucket.available).toBe(20)
  })

  test("takes rates as units per second or as text, and refuses others", () => {
    expect(new TokenBucket({ rate: "100/15m" }).policy.rules[0]).toMatchObject({ limit: 100, periodMs: 900_000 })
    expect(new TokenBucket({ rate: 5 }).policy.rules[0]).toMatchObject({ limit: 5, periodMs: 1_000, capacity: 5 })
    for (const rate of [0.5, 0, Number.NaN, "5", "5/s burst 2", "5/s; 9/m", "5/s fixed_window", "5/s as a"]) {
      expect(() => new TokenBucket({ rate }), String(rate)).toThrow(PolicyError)
    }
    expect(() => new TokenBucket({ rate: 5, capacity: 0 })).toThrow("burst is 0")
  })
})

describe("LeakyBucket", () => {
  test("level rises with what is poured in and drips out at the rate", () => {
    const clock = new ManualClock(START_MS)
    const bucket = new LeakyBucket({ rate: 2, capacity: 4, clock })
    expect(bucket.level).toBe(0)
    expect(bucket.check(3)).toMatchObject({ allowed: true, delayMs: 0 })
    expect(bucket.level).toBe(3)
    expect(bucket.check()).toMatchObject({ allowed: true, delayMs: 1_500 })
    expect(bucket.check()).toMatchObject({ allowed: false, retryAfterMs: 500 })
    clock.advance(750)
    // 2.5 units are left in it, a part of one counted whole.
    expect([bucket.level, bucket.available]).toEqual([3, 1])
    clock.advance(1_250)
    expect(bucket.level).toBe(0)
  })
})

describe("Gcra", () => {
  test("spaces units by the emission interval, after the burst", () => {
    const clock = new ManualClock(START_MS)
    const gcra = new Gcra({ rate: "3/second", burst: 2, clock })
    expect([gcra.burst, gcra.emissionIntervalMs]).toEqual([2, 1_000 / 3])
    expect([gcra.allow(), gcra.allow(), gcra.allow()]).toEqual([true, true, false])
    expect(gcra.retryAfterMs()).toBe(334)
    expect(gcra.retryAfterMs(2)).toBe(667)
  })
})

describe("FixedWindow", () => {
  test("count starts anew with each window", () => {
    const clock = new ManualClock(START_MS + 30_000)
    const window = new FixedWindow({ limit: 3, window: "1m", clock })
    expect([window.allow(2), window.count, window.available, window.windowMs]).toEqual([true, 2, 1, 60_000])
    expect(window.retryAfterMs(2)).toBe(30_000)
    clock.advance(30_000)
    expect(window.count).toBe(0)
  })

  test("takes anchor and offset", () => {
    const clock = new ManualClock(START_MS + 30_000)
    const first = new FixedWindow({ limit: 1, window: "1m", anchor: "first", clock })
    first.allow()
    expect(first.retryAfterMs()).toBe(60_000)
    const shifted = new FixedWindow({ limit: 1, window: "1m", offset: "40s", clock })
    shifted.allow()
    expect(shifted.retryAfterMs()).toBe(10_000)
  })
})

describe("SlidingWindow", () => {
  test("count takes the share of the window before that is still covered", () => {
    const clock = new ManualClock(START_MS)
    const window = new SlidingWindow({ limit: 10, window: "1m", clock })
    window.allow(8)
    clock.advance(60_000)
    expect(window.count).toBe(8)
    clock.advance(30_000)
    expect([window.count, window.limit]).toEqual([4, 10])
  })
})

describe("SlidingWindowLog", () => {
  test("count is exact over the last window", () => {
    const clock = new ManualClock(START_MS)
    const log = new SlidingWindowLog({ limit: 10, window: "1m", clock })
    log.allow(8)
    clock.advance(59_999)
    log.allow(1)
    expect(log.count).toBe(9)
    clock.advance(1)
    expect(log.count).toBe(1)
  })
})

describe("options that there are not", () => {
  const rate = { rate: "4/minute", capcity: 2 } as never
  const window = { limit: 4, window: "1m", ancor: "first" } as never
  test.each([
    [
      "TokenBucket",
      () => new TokenBucket(rate),
      '"capcity", allowed is rate, capacity, refill, clock (did you mean "capacity"?)',
    ],
    [
      "LeakyBucket",
      () => new LeakyBucket(rate),
      '"capcity", allowed is rate, capacity, clock (did you mean "capacity"?)',
    ],
    ["Gcra", () => new Gcra(rate), '"capcity", allowed is rate, burst, clock'],
    [
      "FixedWindow",
      () => new FixedWindow(window),
      '"ancor", allowed is limit, window, anchor, offset, clock (did you mean "anchor"?)',
    ],
    ["SlidingWindow", () => new SlidingWindow(window), '"ancor", allowed is limit, window, clock'],
    ["SlidingWindowLog", () => new SlidingWindowLog(window), '"ancor", allowed is limit, window, clock'],
  ])("%s refuses them", (_name, make, text) => {
    expect(make).toThrow(new RangeError(`Cannot make a limiter: option is ${text}.`))
  })

  test("nor is a clock one that tells no time", () => {
    expect(() => new Gcra({ rate: 1, clock: {} as never })).toThrow(
      new RangeError("Cannot make a limiter: clock is {}, allowed is an object with now()."),
    )
    expect(() => new Gcra("4/minute" as never)).toThrow('options is "4/minute", allowed is an object')
  })
})

describe("every class for one limit", () => {
  const clock = new ManualClock(START_MS)
  const made = [
    ["TokenBucket", () => new TokenBucket({ rate: "4/minute", clock })],
    ["LeakyBucket", () => new LeakyBucket({ rate: "4/minute", clock })],
    ["Gcra", () => new Gcra({ rate: "4/minute", clock })],
    ["FixedWindow", () => new FixedWindow({ limit: 4, window: "1m", clock })],
    ["SlidingWindow", () => new SlidingWindow({ limit: 4, window: "1m", clock })],
    ["SlidingWindowLog", () => new SlidingWindowLog({ limit: 4, window: "1m", clock })],
  ] as const

  test.each(made)("%s: counts, peeks, refunds, charges and resets as RateLimiter does", (_name, make) => {
    const limit = make()
    const limiter = new RateLimiter(limit.policy, { clock, stats: true })
    const same = () => {
      const { remaining, resetAfterMs } = limiter.status("a")
      expect([limit.available, limit.resetAfterMs]).toEqual([remaining, resetAfterMs])
      expect(limit.stats).toEqual(limiter.stats("a"))
    }
    same()
    const decision = limiter.check("a", { cost: 3 })
    expect(limit.check(3).remaining).toBe(decision.remaining)
    same()
    expect([limit.peek(2).allowed, limit.allow(2), limiter.allow("a", { cost: 2 })]).toEqual([false, false, false])
    same()
    limit.refund(2)
    limiter.refund(decision.receipt!, 2)
    same()
    limit.charge(9)
    limiter.charge("a", 9)
    same()
    expect(limit.reset()).toBe(limiter.reset("a"))
    same()
    expect(limit.available).toBe(4)
  })

  test.each(made)("%s: refund() gives back as RateLimiter does where the clock was set back", (_name, make) => {
    clock.set(START_MS)
    const limit = make()
    const limiter = new RateLimiter(limit.policy, { clock })
    for (const backMs of [0, 1, 1_000]) {
      clock.advance(-backMs)
      limit.check()
      const { receipt } = limiter.check("a")
      if (backMs === 0) continue
      limit.refund(1)
      limiter.refund(receipt!, 1)
      expect([backMs, limit.available]).toEqual([backMs, 3])
      expect(limiter.peek("a", { cost: 0 }).remaining).toBe(3)
    }
    clock.set(START_MS)
  })

  test.each(made)("%s: is apart from others of its kind, and refuses what cannot be", (_name, make) => {
    const [one, two] = [make(), make()]
    one.allow(4)
    expect([one.available, two.available]).toEqual([0, 4])
    for (const ask of [() => two.check(5), () => two.allow(5), () => two.peek(5), () => two.retryAfterMs(5)]) {
      expect(ask).toThrow(CostError)
      expect(ask).toThrow("Cannot check: cost 5 exceeds the capacity 4.")
    }
    expect(() => two.check(0.5)).toThrow("Cannot check: cost is 0.5, allowed is a whole number from 0 to 2147483648.")
    for (const cost of [-1, 0.5, Number.NaN, "1" as never]) expect(() => two.check(cost)).toThrow(RangeError)
    expect(two.available).toBe(4)
  })
})
