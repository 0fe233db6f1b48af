import { ManualClock } from "../../../src/types/clock.js"
import { has, throws } from "../assert.js"
import { type LimiterCase, START_MS } from "../limiter-case.js"

/** What is no cost, also where the types were not asked. */
const NOT_COSTS: readonly unknown[] = [-1, 0.5, 1.000001, Number.NaN, -Infinity, Infinity, 2 ** 53, "1", null, {}, 1n]

export const costCases: readonly LimiterCase[] = [
  {
    name: "check(): cost 0 asks and consumes nothing",
    async run(make) {
      const limiter = await make("2/minute", { clock: new ManualClock(START_MS) })
      const free = { allowed: true, cost: 0, retryAfterMs: 0, reason: "ok" }
      for (let i = 0; i < 5; i++) has(await limiter.check("a", { cost: 0 }), { ...free, remaining: 2, resetAfterMs: 0 })
      await limiter.check("a", { cost: 2 })
      has(await limiter.check("a", { cost: 0 }), { ...free, remaining: 0, resetAfterMs: 60_000 }, "an empty quota")
    },
  },
  {
    name: "check(): a cost above the capacity is an error that tells the capacity, and changes nothing",
    async run(make) {
      const limiter = await make("10/minute burst 3", { clock: new ManualClock(START_MS) })
      await limiter.check("a")
      const error = { name: "CostError", code: "COST_ABOVE_CAPACITY", key: "a", cost: 4, maximum: 3 }
      await throws(() => limiter.check("a", { cost: 4 }), error)
      await throws(() => limiter.peek("a", { cost: 4 }), error)
      await throws(() => limiter.allow("a", { cost: 4 }), error)
      await throws(() => limiter.check("a", { cost: 2 ** 31 }), { ...error, cost: 2 ** 31 })
      await throws(() => limiter.check("a", { cost: 2 ** 31 + 1 }), { name: "RangeError" })
      await throws(() => limiter.peek("a", { cost: 2 ** 31 + 1 }), { name: "RangeError" })
      await throws(() => limiter.allow("a", { cost: 2 ** 31 + 1 }), { name: "RangeError" })
      has(await limiter.check("a", { cost: 2 }), { allowed: true, remaining: 0 }, "the check after the errors")
    },
  },
  {
    name: "check(): with several rules the smallest capacity is the largest cost",
    async run(make) {
      const limiter = await make("5/second; 3/minute fixed_window; 100/hour", { clock: new ManualClock(START_MS) })
      await throws(() => limiter.check("a", { cost: 4 }), { name: "CostError", maximum: 3 })
      has(await limiter.check("a", { cost: 3 }), { allowed: true, remaining: 0 }, "the largest cost")
    },
  },
  {
    name: "check(): what is no whole number of units is a RangeError, and changes nothing",
    async run(make) {
      const limiter = await make("5/minute", { clock: new ManualClock(START_MS) })
      await limiter.check("a")
      for (const cost of NOT_COSTS as readonly number[]) {
        await throws(() => limiter.check("a", { cost }), { name: "RangeError" })
        await throws(() => limiter.peek("a", { cost }), { name: "RangeError" })
        await throws(() => limiter.allow("a", { cost }), { name: "RangeError" })
        await throws(() => limiter.charge("a", cost), { name: "RangeError" })
      }
      has(await limiter.check("a", { cost: 4 }), { allowed: true, remaining: 0 }, "the check after the errors")
    },
  },
]
