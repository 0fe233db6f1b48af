import { ManualClock } from "../../../src/types/clock.js"
import { has, same } from "../assert.js"
import { type LimiterCase, START_MS } from "../limiter-case.js"

export const severalRulesCases: readonly LimiterCase[] = [
  {
    name: "several rules: all must admit, and the one that binds most speaks",
    async run(make) {
      const clock = new ManualClock(START_MS)
      const limiter = await make("2/second; 5/minute", { clock })
      const second = { policy: "2-per-1s", algorithm: "gcra", limit: 2, periodMs: 1_000 }
      const minute = { policy: "5-per-1m", algorithm: "gcra", limit: 5, periodMs: 60_000 }

      const first = await limiter.check("a")
      has(first, { allowed: true, policy: "2-per-1s", limit: 2, remaining: 1, resetAfterMs: 500 }, "the 1st decision")
      same(first.rules, [
        { ...second, remaining: 1, retryAfterMs: 0, resetAfterMs: 500 },
        { ...minute, remaining: 4, retryAfterMs: 0, resetAfterMs: 12_000 },
      ])
      same(await limiter.allow("a"), true, "allow()")
      const denied = await limiter.check("a")
      has(denied, { allowed: false, policy: "2-per-1s", remaining: 0, retryAfterMs: 500, reason: "limit" }, "the 3rd")
      same(denied.rules, [
        { ...second, remaining: 0, retryAfterMs: 500, resetAfterMs: 1_000 },
        { ...minute, remaining: 3, retryAfterMs: 0, resetAfterMs: 24_000 },
      ])
      for (const atMs of [500, 1_000, 1_500]) {
        clock.set(START_MS + atMs)
        same(await limiter.allow("a"), true, `allow() at ${atMs}`)
      }
      clock.set(START_MS + 2_000)
      const late = await limiter.check("a")
      has(late, { allowed: false, policy: "5-per-1m", limit: 5, remaining: 0, retryAfterMs: 10_000 }, "at 2 s")
      same(late.rules, [
        { ...second, remaining: 1, retryAfterMs: 0, resetAfterMs: 500 },
        { ...minute, remaining: 0, retryAfterMs: 10_000, resetAfterMs: 58_000 },
      ])
      clock.set(START_MS + 12_000)
      has(await limiter.check("a"), { allowed: true, policy: "5-per-1m", remaining: 0 }, "at 12 s")
    },
  },
  {
    name: "several rules: a denial by one consumes nothing of the others",
    async run(make) {
      const clock = new ManualClock(START_MS)
      const limiter = await make("1/second fixed_window; 3/minute sliding_window_log", { clock })
      same(await limiter.allow("a"), true, "allow()")
      for (let i = 0; i < 20; i++) same(await limiter.allow("a"), false, "allow() in the same second")
      clock.advance(1_000)
      same(await limiter.allow("a"), true, "allow() in the next second")
      clock.advance(1_000)
      const third = await limiter.check("a")
      has(third.rules![1]!, { remaining: 0, resetAfterMs: 60_000 }, "the second rule after three admissions")
    },
  },
  {
    name: "several rules: every algorithm on one key, up to eight rules",
    async run(make) {
      const clock = new ManualClock(START_MS)
      const limiter = await make(
        [
          "8/hour as r1",
          "7/hour token_bucket as r2",
          "6/hour leaky_bucket as r3",
          "5/hour fixed_window as r4",
          "4/hour sliding_window as r5",
          "3/hour sliding_window_log as r6",
          "2/hour as r7",
          { limit: 9, period: "1h", algorithm: "token_bucket", refill: { amount: 3, every: "20m" }, name: "r8" },
        ],
        { clock },
      )
      const first = await limiter.check("a")
      has(first, { allowed: true, policy: "r7", remaining: 1, limit: 2 }, "the 1st decision")
      const left = first.rules!.map((rule) => rule.remaining)
      same(left, [7, 6, 5, 4, 3, 2, 1, 8], "what is left")
      // The leaky bucket lets one leave every ten minutes; the others would not hold it.
      has(await limiter.check("a"), { allowed: true, policy: "r7", remaining: 0, delayMs: 600_000 }, "the 2nd decision")
      has(await limiter.check("a"), { allowed: false, policy: "r7", retryAfterMs: 1_800_000 }, "the 3rd decision")
      clock.advance(1_800_000)
      has(await limiter.check("a"), { allowed: true, remaining: 0 }, "the decision half an hour later")
      // r6 holds two charges of the first moment and one of half an hour later, so it waits as long as r7.
      const last = await limiter.check("a")
      const waits = last.rules!.map((rule) => rule.retryAfterMs)
      same(waits, [0, 0, 0, 0, 0, 1_800_000, 1_800_000, 0], "the waits")
      has(
        last,
        { allowed: false, policy: "r6", retryAfterMs: 1_800_000 },
        "the decision of the first of the longest waits",
      )
    },
  },
]
