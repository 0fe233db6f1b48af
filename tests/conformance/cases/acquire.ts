import { acquire } from "../../../src/limiter/acquire.js"
import { ManualClock } from "../../../src/types/clock.js"
import { has, throws } from "../assert.js"
import { type LimiterCase, START_MS } from "../limiter-case.js"

/** Over any limiter. None of these waits: how long a wait takes is no matter of the limiter. */
export const acquireCases: readonly LimiterCase[] = [
  {
    name: "acquire(): gives a permit, which settles what was used",
    async run(make) {
      const limiter = await make("10/hour", { clock: new ManualClock(START_MS) })
      const permit = await acquire(limiter, "a", { cost: 6 })
      has(permit, { key: "a", cost: 6, used: null }, "the permit")
      permit.use(2)
      await permit.settle()
      has(await limiter.peek("a", { cost: 0 }), { remaining: 8 }, "the key after the settlement")
      await permit.refund()
      has(await limiter.peek("a", { cost: 0 }), { remaining: 8 }, "the key after a second one")
      await (await acquire(limiter, "a", { cost: 0 })).settle(3)
      has(await limiter.peek("a", { cost: 0 }), { remaining: 5 }, "the key after a settlement of what was free")
    },
  },
  {
    name: "acquire(): what cannot be in time is refused at once, and nothing is charged",
    async run(make) {
      const limiter = await make("10/hour", { clock: new ManualClock(START_MS) })
      await limiter.check("a", { cost: 9 })
      const expected = { name: "TimeoutExceeded", key: "a", timeoutMs: 1_000, retryAfterMs: 360_000 }
      await throws(() => acquire(limiter, "a", { cost: 2, timeout: "1s" }), expected)
      await throws(() => acquire(limiter, "a", { cost: 11 }), { name: "CostError", maximum: 10 })
      has(await acquire(limiter, "a", { timeout: 0 }), { cost: 1 }, "what is left")
      has(await limiter.peek("a", { cost: 0 }), { remaining: 0 }, "the key")
    },
  },
  {
    name: "acquire(): who waits is admitted as soon as a permit gives back",
    needs: ["hears"],
    async run(make) {
      const limiter = await make("10/hour", { clock: new ManualClock(START_MS) })
      const permit = await acquire(limiter, "a", { cost: 10 })
      const waiting = [acquire(limiter, "a", { cost: 3 }), acquire(limiter, "a")]
      has(await limiter.peek("a", { cost: 0 }), { remaining: 0 }, "the key while they wait")
      await permit.settle(4)
      await Promise.all(waiting)
      has(await limiter.peek("a", { cost: 0 }), { remaining: 2 }, "the key after their admissions")
    },
  },
  {
    name: "acquire(): an aborted wait ends with the signal's reason, and nothing is charged",
    async run(make) {
      const limiter = await make("10/hour", { clock: new ManualClock(START_MS) })
      await limiter.check("a", { cost: 9 })
      const controller = new AbortController()
      const waiting = acquire(limiter, "a", { cost: 2, signal: controller.signal })
      controller.abort(new Error("gone"))
      await throws(() => waiting, { name: "Error", message: "gone" })
      has(await limiter.peek("a", { cost: 0 }), { remaining: 1 }, "the key")
    },
  },
]
