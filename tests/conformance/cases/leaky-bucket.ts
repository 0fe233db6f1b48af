import { ManualClock } from "../../../src/types/clock.js"
import { has } from "../assert.js"
import { type LimiterCase, START_MS } from "../limiter-case.js"

export const leakyBucketCases: readonly LimiterCase[] = [
  {
    name: "leaky_bucket: tells how long to hold each request so that one leaves every 100 ms",
    async run(make) {
      const clock = new ManualClock(START_MS)
      const limiter = await make("10/second leaky_bucket burst 4", { clock })
      const first = { allowed: true, algorithm: "leaky_bucket", delayMs: 0, remaining: 3, resetAfterMs: 100 }
      has(await limiter.check("a"), first, "the 1st decision")
      has(await limiter.check("a"), { delayMs: 100, remaining: 2, resetAfterMs: 200 }, "the 2nd decision")
      has(await limiter.check("a"), { delayMs: 200, remaining: 1, resetAfterMs: 300 }, "the 3rd decision")
      has(await limiter.check("a"), { delayMs: 300, remaining: 0, resetAfterMs: 400 }, "the 4th decision")
      has(await limiter.check("a"), { allowed: false, delayMs: 0, retryAfterMs: 100 }, "the 5th decision")
      clock.advance(50)
      has(await limiter.check("a"), { allowed: false, delayMs: 0, retryAfterMs: 50 }, "the decision at 50 ms")
      clock.advance(100)
      const held = { allowed: true, delayMs: 250, remaining: 0, resetAfterMs: 350 }
      has(await limiter.peek("a"), { allowed: true, delayMs: 250, remaining: 1, resetAfterMs: 250 }, "peek at 150 ms")
      has(await limiter.check("a"), held, "the decision at 150 ms")
      clock.advance(350)
      has(await limiter.check("a"), { allowed: true, delayMs: 0, remaining: 3 }, "the decision when empty again")
    },
  },
  {
    name: "leaky_bucket: rounds a delay up to whole milliseconds",
    async run(make) {
      const clock = new ManualClock(START_MS)
      const limiter = await make("3/second leaky_bucket", { clock })
      has(await limiter.check("a"), { delayMs: 0 }, "the 1st decision")
      has(await limiter.check("a"), { delayMs: 334 }, "the 2nd decision")
      has(await limiter.check("a"), { delayMs: 667 }, "the 3rd decision")
    },
  },
]
