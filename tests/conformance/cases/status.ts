import { ManualClock } from "../../../src/types/clock.js"
import { has, same } from "../assert.js"
import { type LimiterCase, START_MS } from "../limiter-case.js"

export const statusCases: readonly LimiterCase[] = [
  {
    name: "status(): tells a key's state and changes nothing",
    async run(make) {
      const clock = new ManualClock(START_MS)
      const limiter = await make("2/second; 5/minute", { clock })
      const fresh = { key: "a", policy: "2-per-1s", remaining: 2, resetAfterMs: 0, blockedForMs: 0 }
      has(await limiter.status("a"), fresh, "the status of an unknown key")
      await limiter.check("a")
      for (let i = 0; i < 3; i++) {
        const status = await limiter.status("a")
        const used = { key: "a", policy: "2-per-1s", remaining: 1, resetAfterMs: 12_000, blockedForMs: 0 }
        has(status, used, "the status of a used key")
        has(status.rules[0]!, { policy: "2-per-1s", remaining: 1, retryAfterMs: 0, resetAfterMs: 500 }, "its 1st rule")
        has(status.rules[1]!, { policy: "5-per-1m", remaining: 4, retryAfterMs: 0, resetAfterMs: 12_000 }, "its 2nd")
        same(status.rules.length, 2, "the number of rules")
      }
      has(await limiter.check("a"), { allowed: true, remaining: 0 }, "the check afterwards")
    },
  },
  {
    name: "status(): tells of the same rule as peek(), also where shares differ by less than a float can tell",
    async run(make) {
      const rules = [2 ** 31, 2 ** 31 - 1].map((limit) => ({ limit, period: "1h" }))
      const limiter = await make(rules, { clock: new ManualClock(START_MS) })
      await limiter.check("a", { cost: 2 })
      const least = { policy: "2147483647-per-1h", remaining: 2_147_483_645 }
      has(await limiter.peek("a"), least, "the peek")
      has(await limiter.status("a"), least, "the status")
    },
  },
  {
    name: "status(): a policy of one rule has one readout",
    async run(make) {
      const limiter = await make("10/minute as api", { clock: new ManualClock(START_MS) })
      await limiter.check("a", { cost: 4 })
      const { rules, ...rest } = await limiter.status("a")
      same(rest, { key: "a", policy: "api", remaining: 6, resetAfterMs: 24_000, blockedForMs: 0 }, "the status")
      const rule = { policy: "api", algorithm: "gcra", limit: 10, periodMs: 60_000 }
      same(rules, [{ ...rule, remaining: 6, retryAfterMs: 0, resetAfterMs: 24_000 }], "its rules")
    },
  },
  {
    name: "status(): tells how long a block lasts",
    async run(make) {
      const clock = new ManualClock(START_MS)
      const limiter = await make("10/minute", { clock })
      await limiter.block("a", "10s")
      has(await limiter.status("a"), { remaining: 10, resetAfterMs: 0, blockedForMs: 10_000 }, "a blocked key")
      clock.advance(9_999)
      has(await limiter.status("a"), { blockedForMs: 1 }, "1 ms before the end")
      clock.advance(1)
      has(await limiter.status("a"), { blockedForMs: 0 }, "at the end")
      clock.advance(1_000_000)
      has(await limiter.status("a"), { blockedForMs: 0 }, "long after the end")
    },
  },
]
