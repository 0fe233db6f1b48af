import { ManualClock } from "../../../src/types/clock.js"
import { has, same } from "../assert.js"
import { type LimiterCase, START_MS } from "../limiter-case.js"

export const gcraCases: readonly LimiterCase[] = [
  {
    name: "gcra: admits the burst at once, then one unit per emission interval",
    async run(make) {
      const clock = new ManualClock(START_MS)
      const limiter = await make("10/second burst 3", { clock })
      const admitted = { allowed: true, limit: 10, cost: 1, retryAfterMs: 0, delayMs: 0, reason: "ok" }
      has(await limiter.check("a"), { ...admitted, remaining: 2, resetAfterMs: 100 }, "the 1st decision")
      has(await limiter.check("a"), { ...admitted, remaining: 1, resetAfterMs: 200 }, "the 2nd decision")
      has(await limiter.check("a"), { ...admitted, remaining: 0, resetAfterMs: 300 }, "the 3rd decision")
      const denied = { allowed: false, limit: 10, cost: 1, remaining: 0, delayMs: 0, reason: "limit" }
      has(await limiter.check("a"), { ...denied, retryAfterMs: 100, resetAfterMs: 300 }, "the 4th decision")
      clock.advance(99)
      has(await limiter.check("a"), { ...denied, retryAfterMs: 1, resetAfterMs: 201 }, "the decision at 99 ms")
      clock.advance(1)
      has(await limiter.check("a"), { ...admitted, remaining: 0, resetAfterMs: 300 }, "the decision at 100 ms")
      clock.advance(150)
      has(await limiter.peek("a"), { ...admitted, remaining: 1, resetAfterMs: 150 }, "the decision at 250 ms")
      has(await limiter.peek("a", { cost: 2 }), { allowed: false, remaining: 1, retryAfterMs: 50 }, "cost 2 at 250 ms")
      has(await limiter.peek("a", { cost: 3 }), { allowed: false, remaining: 1, retryAfterMs: 150 }, "cost 3 at 250 ms")
    },
  },
  {
    name: "gcra: an interval of 333⅓ ms is not rounded",
    async run(make) {
      const clock = new ManualClock(START_MS)
      const limiter = await make("3/second", { clock })
      has(await limiter.check("a"), { remaining: 2, resetAfterMs: 334 }, "the 1st decision")
      has(await limiter.check("a"), { remaining: 1, resetAfterMs: 667 }, "the 2nd decision")
      has(await limiter.check("a"), { remaining: 0, resetAfterMs: 1_000 }, "the 3rd decision")
      has(await limiter.check("a"), { allowed: false, retryAfterMs: 334 }, "the 4th decision")
      for (const atMs of [334, 667, 1_000, 1_334, 1_667, 2_000]) {
        clock.set(START_MS + atMs - 1)
        has(await limiter.check("a"), { allowed: false, retryAfterMs: 1 }, `the decision 1 ms before ${atMs}`)
        clock.set(START_MS + atMs)
        has(await limiter.check("a"), { allowed: true, remaining: 0, resetAfterMs: 1_000 }, `the decision at ${atMs}`)
      }
    },
  },
  {
    name: "gcra: 2^31 units in 10 years are exact",
    async run(make) {
      const clock = new ManualClock(START_MS)
      const limiter = await make({ limit: 2 ** 31, period: 315_360_000_000 }, { clock })
      const all = await limiter.check("a", { cost: 2 ** 31 })
      has(all, { allowed: true, remaining: 0, resetAfterMs: 315_360_000_000 }, "the decision on everything")
      // One unit is 315,360,000,000 / 2^31 = 146.85… ms.
      has(await limiter.check("a"), { allowed: false, retryAfterMs: 147 }, "the decision after everything")
      clock.advance(146)
      same(await limiter.allow("a"), false, "allow() 1 ms early")
      clock.advance(1)
      same(await limiter.allow("a"), true, "allow() in time")
    },
  },
  {
    name: "gcra: 2^31 units in 1 ms are exact",
    async run(make) {
      const clock = new ManualClock(START_MS)
      const limiter = await make({ limit: 2 ** 31, period: 1 }, { clock })
      has(await limiter.check("a", { cost: 2 ** 31 }), { allowed: true, remaining: 0, resetAfterMs: 1 })
      has(await limiter.check("a"), { allowed: false, retryAfterMs: 1 })
      clock.advance(1)
      has(await limiter.check("a"), { allowed: true, remaining: 2 ** 31 - 1, resetAfterMs: 1 })
    },
  },
  {
    name: "gcra: one unit in 10 years stays denied for longer than a timer can count",
    async run(make) {
      const clock = new ManualClock(START_MS)
      const limiter = await make({ limit: 1, period: 315_360_000_000 }, { clock })
      same(await limiter.allow("a"), true, "allow()")
      clock.advance(2 ** 31)
      has(await limiter.check("a"), { allowed: false, retryAfterMs: 315_360_000_000 - 2 ** 31 }, "24.9 days later")
      clock.set(START_MS + 315_360_000_000 - 1)
      has(await limiter.check("a"), { allowed: false, retryAfterMs: 1 }, "1 ms before 10 years")
      clock.advance(1)
      same(await limiter.allow("a"), true, "allow() after 10 years")
    },
  },
]
