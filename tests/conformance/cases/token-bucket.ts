import { ManualClock } from "../../../src/types/clock.js"
import { has, same } from "../assert.js"
import { type LimiterCase, START_MS } from "../limiter-case.js"

/** 5 tokens every 5 s: 60 a minute. */
const STEPS = {
  limit: 60,
  period: "1m",
  algorithm: "token_bucket",
  burst: 10,
  refill: { amount: 5, every: "5s" },
} as const

export const tokenBucketCases: readonly LimiterCase[] = [
  {
    name: "token_bucket: drips continuously",
    async run(make) {
      const clock = new ManualClock(START_MS)
      const limiter = await make("60/minute token_bucket burst 5", { clock })
      const all = { allowed: true, algorithm: "token_bucket", limit: 60, remaining: 0, resetAfterMs: 5_000, delayMs: 0 }
      has(await limiter.check("a", { cost: 5 }), all, "the first decision")
      clock.advance(2_500)
      const denied = { allowed: false, remaining: 2, retryAfterMs: 500, resetAfterMs: 2_500 }
      has(await limiter.check("a", { cost: 3 }), denied, "cost 3 with 2½ tokens")
      has(await limiter.check("a", { cost: 2 }), { allowed: true, remaining: 0, resetAfterMs: 4_500 }, "cost 2")
      clock.advance(499)
      has(await limiter.check("a"), { allowed: false, retryAfterMs: 1 }, "1 ms before the third token is whole")
      clock.advance(1)
      has(await limiter.check("a"), { allowed: true, remaining: 0, resetAfterMs: 5_000 }, "the third token")
    },
  },
  {
    name: "token_bucket: refills in steps and never loses a part of one",
    async run(make) {
      const clock = new ManualClock(START_MS)
      const limiter = await make(STEPS, { clock })
      has(await limiter.check("a", { cost: 8 }), { allowed: true, remaining: 2, resetAfterMs: 10_000 }, "at 0 s")
      clock.set(START_MS + 4_999)
      has(await limiter.check("a", { cost: 3 }), { allowed: false, remaining: 2, retryAfterMs: 1 }, "at 4.999 s")
      clock.set(START_MS + 5_000)
      has(await limiter.check("a", { cost: 3 }), { allowed: true, remaining: 4, resetAfterMs: 10_000 }, "at 5 s")
      clock.set(START_MS + 7_000)
      has(await limiter.check("a", { cost: 9 }), { allowed: false, remaining: 4, retryAfterMs: 3_000 }, "at 7 s")
      has(await limiter.check("a", { cost: 10 }), { allowed: false, remaining: 4, retryAfterMs: 8_000 }, "cost 10")
      clock.set(START_MS + 10_000)
      has(await limiter.peek("a"), { remaining: 9, resetAfterMs: 5_000 }, "at 10 s")
      clock.set(START_MS + 15_000)
      has(await limiter.peek("a"), { remaining: 10, resetAfterMs: 0 }, "at 15 s")
    },
  },
  {
    name: "token_bucket: steps count from the first charge on a full bucket",
    async run(make) {
      const clock = new ManualClock(START_MS + 1_234)
      const limiter = await make(STEPS, { clock })
      same(await limiter.allow("a"), true, "allow()")
      clock.set(START_MS + 1_234 + 4_999)
      has(await limiter.peek("a"), { remaining: 9, resetAfterMs: 1 }, "1 ms before the step")
      clock.advance(1)
      has(await limiter.peek("a"), { remaining: 10, resetAfterMs: 0 }, "at the step")
      clock.advance(777)
      has(await limiter.check("a"), { remaining: 9, resetAfterMs: 5_000 }, "a new rhythm")
    },
  },
]
