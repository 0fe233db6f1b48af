import { ManualClock } from "../../../src/types/clock.js"
import { has, throws } from "../assert.js"
import { type LimiterCase, START_MS } from "../limiter-case.js"

export const chargeCases: readonly LimiterCase[] = [
  {
    name: "charge(): takes units whatever is left, and a debt is paid back in time",
    async run(make) {
      const clock = new ManualClock(START_MS)
      const limiter = await make("10/second", { clock })
      await limiter.charge("a", 4)
      has(await limiter.peek("a"), { remaining: 6, resetAfterMs: 400 }, "after 4 units")
      await limiter.charge("a", 11)
      has(await limiter.check("a"), { allowed: false, remaining: 0, retryAfterMs: 600, resetAfterMs: 1_500 }, "in debt")
      clock.advance(599)
      has(await limiter.check("a"), { allowed: false, retryAfterMs: 1 }, "1 ms early")
      clock.advance(1)
      has(await limiter.check("a"), { allowed: true, remaining: 0 }, "in time")
    },
  },
  {
    name: "charge(): 0 units change nothing, 2^31 are taken, more are a RangeError",
    async run(make) {
      const limiter = await make("10/second", { clock: new ManualClock(START_MS) })
      await limiter.charge("a", 0)
      has(await limiter.peek("a"), { remaining: 10, resetAfterMs: 0 }, "after 0 units")
      await throws(() => limiter.charge("a", 2 ** 31 + 1), { name: "RangeError" })
      has(await limiter.peek("a"), { remaining: 10, resetAfterMs: 0 }, "after the error")
      await limiter.charge("a", 2 ** 31)
      // 2^31 units at 100 ms each.
      has(await limiter.peek("a"), { allowed: false, remaining: 0, resetAfterMs: 2 ** 31 * 100 }, "after 2^31 units")
    },
  },
  {
    name: "charge(): the debt of a fixed window ends with it",
    async run(make) {
      const clock = new ManualClock(START_MS + 20_000)
      const limiter = await make("10/minute fixed_window", { clock })
      await limiter.charge("a", 25)
      has(await limiter.check("a"), { allowed: false, remaining: 0, retryAfterMs: 40_000 }, "in debt")
      clock.advance(40_000)
      has(await limiter.check("a"), { allowed: true, remaining: 9 }, "the next window")
    },
  },
  {
    name: "charge(): the debt of a log leaves with its charge",
    async run(make) {
      const clock = new ManualClock(START_MS)
      const limiter = await make("10/10s sliding_window_log", { clock })
      await limiter.check("a", { cost: 2 })
      clock.advance(1_000)
      await limiter.charge("a", 12)
      has(await limiter.check("a"), { allowed: false, remaining: 0, retryAfterMs: 10_000 }, "in debt")
      clock.advance(9_000)
      has(await limiter.check("a"), { allowed: false, remaining: 0, retryAfterMs: 1_000 }, "after the first charge")
      clock.advance(1_000)
      has(await limiter.check("a"), { allowed: true, remaining: 9 }, "after the debt")
    },
  },
  {
    name: "charge(): every rule is charged",
    async run(make) {
      const limiter = await make("10/second; 100/minute fixed_window", { clock: new ManualClock(START_MS) })
      await limiter.charge("a", 15)
      const { rules } = await limiter.peek("a")
      has(rules![0]!, { remaining: 0, resetAfterMs: 1_500 }, "the first rule")
      has(rules![1]!, { remaining: 85, resetAfterMs: 60_000 }, "the second rule")
    },
  },
]
