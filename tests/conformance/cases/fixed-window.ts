import { ManualClock } from "../../../src/types/clock.js"
import { has, same } from "../assert.js"
import { type LimiterCase, START_MS } from "../limiter-case.js"

export const fixedWindowCases: readonly LimiterCase[] = [
  {
    name: "fixed_window: counts in windows that are aligned to the epoch",
    async run(make) {
      const clock = new ManualClock(START_MS + 10_000)
      const limiter = await make("5/minute fixed_window", { clock })
      const admitted = { allowed: true, algorithm: "fixed_window", remaining: 2, resetAfterMs: 50_000 }
      has(await limiter.check("a", { cost: 3 }), admitted, "cost 3 at 10 s")
      const denied = { allowed: false, remaining: 2, retryAfterMs: 50_000, resetAfterMs: 50_000 }
      has(await limiter.check("a", { cost: 3 }), denied, "cost 3 again")
      has(await limiter.check("a", { cost: 2 }), { allowed: true, remaining: 0 }, "cost 2")
      clock.set(START_MS + 59_999)
      has(await limiter.check("a"), { allowed: false, retryAfterMs: 1, resetAfterMs: 1 }, "the window's last ms")
      clock.set(START_MS + 60_000)
      has(await limiter.check("a"), { allowed: true, remaining: 4, resetAfterMs: 60_000 }, "the next window")
    },
  },
  {
    name: "fixed_window: an offset shifts the windows",
    async run(make) {
      const clock = new ManualClock(START_MS + 10_000)
      const limiter = await make({ limit: 5, period: "1m", algorithm: "fixed_window", offset: "15s" }, { clock })
      has(await limiter.check("a", { cost: 5 }), { allowed: true, remaining: 0, resetAfterMs: 5_000 }, "at 10 s")
      clock.set(START_MS + 14_999)
      has(await limiter.check("a"), { allowed: false, retryAfterMs: 1 }, "the decision at 14.999 s")
      clock.set(START_MS + 15_000)
      has(await limiter.check("a"), { allowed: true, remaining: 4, resetAfterMs: 60_000 }, "the decision at 15 s")
    },
  },
  {
    name: "fixed_window: an anchor at the first charge starts a window per key, which denials do not extend",
    async run(make) {
      const clock = new ManualClock(START_MS + 10_000)
      const limiter = await make({ limit: 2, period: "1m", algorithm: "fixed_window", anchor: "first" }, { clock })
      has(await limiter.check("a", { cost: 2 }), { allowed: true, resetAfterMs: 60_000 }, "the decision at 10 s")
      clock.set(START_MS + 40_000)
      has(await limiter.check("a"), { allowed: false, retryAfterMs: 30_000 }, "the decision at 40 s")
      has(await limiter.check("b"), { allowed: true, resetAfterMs: 60_000 }, "another key's decision at 40 s")
      clock.set(START_MS + 69_999)
      has(await limiter.check("a"), { allowed: false, retryAfterMs: 1 }, "the decision at 69.999 s")
      clock.set(START_MS + 70_000)
      has(await limiter.check("a"), { allowed: true, remaining: 1, resetAfterMs: 60_000 }, "the decision at 70 s")
    },
  },
  {
    name: "fixed_window: the first window of all may be shifted to start before the epoch",
    async run(make) {
      const clock = new ManualClock(0)
      const limiter = await make({ limit: 1, period: "1m", algorithm: "fixed_window", offset: "15s" }, { clock })
      has(await limiter.check("a"), { allowed: true, resetAfterMs: 15_000 }, "the decision at 0")
      clock.set(14_999)
      same(await limiter.allow("a"), false, "allow() at 14.999 s")
      clock.set(15_000)
      same(await limiter.allow("a"), true, "allow() at 15 s")
    },
  },
]
