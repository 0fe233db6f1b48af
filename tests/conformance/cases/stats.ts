import { ManualClock } from "../../../src/types/clock.js"
import { has, same, throws } from "../assert.js"
import { type LimiterCase, START_MS } from "../limiter-case.js"

const NOTHING = {
  totalAllowed: 0,
  totalDenied: 0,
  totalAllowedCost: 0,
  totalDeniedCost: 0,
  lastAllowedAt: null,
  lastDeniedAt: null,
  lastResetAt: null,
}

export const statsCases: readonly LimiterCase[] = [
  {
    name: "stats(): counts what was allowed and denied, with costs and times",
    needs: ["stats"],
    async run(make) {
      const clock = new ManualClock(START_MS)
      const limiter = await make("10/minute", { clock, stats: true })
      same(await limiter.stats("a"), NOTHING, "the statistics of an unknown key")
      await limiter.check("a", { cost: 6 })
      clock.advance(10)
      await limiter.allow("a", { cost: 3 })
      clock.advance(10)
      await limiter.check("a", { cost: 7 })
      await limiter.allow("a", { cost: 2 })
      const counted = {
        totalAllowed: 2,
        totalDenied: 2,
        totalAllowedCost: 9,
        totalDeniedCost: 9,
        lastAllowedAt: START_MS + 10,
        lastDeniedAt: START_MS + 20,
        lastResetAt: null,
      }
      same(await limiter.stats("a"), counted, "the statistics")
      same(await limiter.stats("b"), NOTHING, "another key's statistics")
      clock.advance(10)
      await limiter.reset("a")
      same(await limiter.stats("a"), { ...counted, lastResetAt: START_MS + 30 }, "the statistics after a reset")
    },
  },
  {
    name: "stats(): questions, penalties and errors are not counted; a check while blocked is",
    needs: ["stats"],
    async run(make) {
      const limiter = await make("10/minute", { clock: new ManualClock(START_MS), stats: true })
      await limiter.peek("a")
      await limiter.status("a")
      await limiter.check("a", { cost: 0 })
      await limiter.charge("a", 2)
      await throws(() => limiter.check("a", { cost: 11 }), { name: "CostError" })
      await throws(() => limiter.check("a", { cost: -1 }), { name: "RangeError" })
      same(await limiter.stats("a"), NOTHING, "the statistics after what is not counted")
      await limiter.block("a", "1m")
      await limiter.check("a", { cost: 3 })
      has(await limiter.stats("a"), { totalAllowed: 0, totalDenied: 1, totalDeniedCost: 3 }, "the statistics")
    },
  },
  {
    name: "stats(): outlive the quota, and a policy change",
    needs: ["stats"],
    async run(make) {
      const clock = new ManualClock(START_MS)
      const limiter = await make("10/second", { clock, stats: true })
      await limiter.check("a", { cost: 4 })
      clock.advance(86_400_000)
      await limiter.setPolicy("5/minute fixed_window")
      await limiter.check("a")
      has(await limiter.stats("a"), { totalAllowed: 2, totalAllowedCost: 5, totalDenied: 0 }, "the statistics")
    },
  },
]
