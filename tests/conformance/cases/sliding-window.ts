import { ManualClock } from "../../../src/types/clock.js"
import { has } from "../assert.js"
import { type LimiterCase, START_MS } from "../limiter-case.js"

export const slidingWindowCases: readonly LimiterCase[] = [
  {
    name: "sliding_window: the window before counts by the share that still overlaps",
    async run(make) {
      const clock = new ManualClock(START_MS + 30_000)
      const limiter = await make("10/minute sliding_window", { clock })
      // ⌊10·(60,000 − e)/60,000⌋ is 0 from e = 54,001 ms of the next window on.
      const all = { allowed: true, algorithm: "sliding_window", remaining: 0, resetAfterMs: 84_001 }
      has(await limiter.check("a", { cost: 10 }), all, "cost 10 at 30 s")
      has(await limiter.check("a"), { allowed: false, retryAfterMs: 30_001 }, "cost 1 at 30 s")
      has(await limiter.check("a", { cost: 5 }), { allowed: false, retryAfterMs: 54_001 }, "cost 5 at 30 s")
      clock.set(START_MS + 60_000)
      has(await limiter.check("a"), { allowed: false, retryAfterMs: 1, resetAfterMs: 54_001 }, "at 60 s")
      clock.set(START_MS + 60_001)
      // 9 of the 10 still count, and 1 is new. That one counts for ⌊1·(60,000 − e)/60,000⌋ = 0 from e = 1 on.
      has(await limiter.check("a"), { allowed: true, remaining: 0, resetAfterMs: 60_000 }, "at 60.001 s")
      clock.set(START_MS + 90_000)
      has(await limiter.peek("a"), { allowed: true, remaining: 4 }, "at 90 s: 1 + ⌊10·½⌋ are used")
      has(await limiter.check("a", { cost: 4 }), { allowed: true, remaining: 0 }, "cost 4 at 90 s")
      clock.set(START_MS + 180_000)
      has(await limiter.peek("a"), { allowed: true, remaining: 10, resetAfterMs: 0 }, "two windows later")
    },
  },
  {
    name: "sliding_window: a wait is solved exactly within the current window",
    async run(make) {
      const clock = new ManualClock(START_MS)
      const limiter = await make("100/minute sliding_window", { clock })
      has(await limiter.check("a", { cost: 100 }), { allowed: true }, "cost 100")
      clock.set(START_MS + 60_000 + 15_000)
      // ⌊100·45/60⌋ = 75 are used; 10 more of 25 leave 15; 20 need ⌊100·(60,000 − e)/60,000⌋ ≤ 70: e ≥ 17,401.
      has(await limiter.check("a", { cost: 10 }), { allowed: true, remaining: 15 }, "cost 10 at a quarter")
      has(await limiter.check("a", { cost: 20 }), { allowed: false, remaining: 15, retryAfterMs: 2_401 }, "cost 20")
      clock.advance(2_400)
      has(await limiter.peek("a", { cost: 20 }), { allowed: false, retryAfterMs: 1 }, "1 ms early")
      clock.advance(1)
      has(await limiter.check("a", { cost: 20 }), { allowed: true, remaining: 0 }, "in time")
    },
  },
]
