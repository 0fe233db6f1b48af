import { ManualClock } from "../../../src/types/clock.js"
import { has, same } from "../assert.js"
import { type LimiterCase, START_MS } from "../limiter-case.js"

export const slidingWindowLogCases: readonly LimiterCase[] = [
  {
    name: "sliding_window_log: each charge leaves the window exactly one period later",
    async run(make) {
      const clock = new ManualClock(START_MS)
      const limiter = await make("3/10s sliding_window_log", { clock })
      const first = { allowed: true, algorithm: "sliding_window_log", remaining: 2, resetAfterMs: 10_000 }
      has(await limiter.check("a"), first, "cost 1 at 0 s")
      clock.set(START_MS + 4_000)
      has(await limiter.check("a", { cost: 2 }), { allowed: true, remaining: 0, resetAfterMs: 10_000 }, "at 4 s")
      clock.set(START_MS + 5_000)
      has(await limiter.check("a"), { allowed: false, retryAfterMs: 5_000, resetAfterMs: 9_000 }, "cost 1 at 5 s")
      has(await limiter.check("a", { cost: 2 }), { allowed: false, retryAfterMs: 9_000 }, "cost 2 at 5 s")
      clock.set(START_MS + 9_999)
      has(await limiter.check("a"), { allowed: false, retryAfterMs: 1 }, "at 9.999 s")
      clock.set(START_MS + 10_000)
      has(await limiter.check("a"), { allowed: true, remaining: 0, resetAfterMs: 10_000 }, "at 10 s")
      clock.set(START_MS + 14_000)
      has(await limiter.peek("a"), { allowed: true, remaining: 2, resetAfterMs: 6_000 }, "at 14 s")
    },
  },
  {
    name: "sliding_window_log: keeps 1,000 charges of one window apart",
    async run(make) {
      const clock = new ManualClock(START_MS)
      const limiter = await make("1000/10s sliding_window_log", { clock })
      for (let i = 0; i < 1_000; i++) {
        clock.set(START_MS + i * 7)
        same(await limiter.allow("a"), true, `allow() number ${i}`)
      }
      has(await limiter.check("a"), { allowed: false, retryAfterMs: 10_000 - 999 * 7 }, "the 1,001st")
      has(await limiter.peek("a", { cost: 500 }), { retryAfterMs: 10_000 - 500 * 7 }, "a cost of 500")
      clock.set(START_MS + 10_000 + 299 * 7)
      has(await limiter.peek("a"), { remaining: 300, resetAfterMs: 700 * 7 }, "after 300 have left")
    },
  },
]
