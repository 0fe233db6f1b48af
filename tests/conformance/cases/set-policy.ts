import type { PolicyInput } from "../../../src/policy/policy.js"
import { ManualClock } from "../../../src/types/clock.js"
import { has, same, throws } from "../assert.js"
import { type LimiterCase, START_MS } from "../limiter-case.js"

export const setPolicyCases: readonly LimiterCase[] = [
  {
    name: "setPolicy(): what was used stays used, capped at the new capacity",
    async run(make) {
      const limiter = await make("10/minute as small", { clock: new ManualClock(START_MS) })
      await limiter.check("a", { cost: 4 })
      await limiter.setPolicy("20/minute as large")
      has(
        await limiter.peek("a"),
        { policy: "large", limit: 20, remaining: 16, resetAfterMs: 12_000 },
        "a larger limit",
      )
      await limiter.setPolicy("3/minute as tiny")
      has(
        await limiter.peek("a"),
        { policy: "tiny", allowed: false, remaining: 0, resetAfterMs: 60_000 },
        "a smaller one",
      )
      has(await limiter.peek("b"), { policy: "tiny", allowed: true, remaining: 3 }, "an unused key")
    },
  },
  {
    name: "setPolicy(): usage carries over between any two algorithms",
    async run(make) {
      const clock = new ManualClock(START_MS)
      const limiter = await make("10/hour", { clock })
      await limiter.check("a", { cost: 4 })
      const refill = { amount: 5, every: "30m" }
      const policies: readonly PolicyInput[] = [
        "10/hour fixed_window",
        "10/hour sliding_window_log",
        "10/hour leaky_bucket",
        "10/hour sliding_window",
        { limit: 10, period: "1h", algorithm: "token_bucket", refill },
        "10/hour token_bucket",
        "10/hour",
      ]
      for (const policy of policies) {
        await limiter.setPolicy(policy)
        has(await limiter.peek("a"), { allowed: true, remaining: 6 }, `the key under ${JSON.stringify(policy)}`)
      }
    },
  },
  {
    name: "setPolicy(): what was used keeps its age where only names and the block differ",
    async run(make) {
      const dayMs = 86_400_000
      const refill = { amount: 1, every: dayMs / 10 }
      const rules = [
        { algorithm: "gcra" },
        { algorithm: "token_bucket", refill },
        { algorithm: "fixed_window", anchor: "first" },
        { algorithm: "sliding_window" },
        { algorithm: "sliding_window_log" },
      ] as const
      for (const told of rules) {
        const clock = new ManualClock(START_MS)
        const rule = { limit: 10, period: dayMs, ...told }
        const limiter = await make(rule, { clock })
        await limiter.check("a", { cost: 10 })
        clock.advance(dayMs / 20)
        const { remaining, resetAfterMs } = await limiter.peek("a", { cost: 0 })
        const { retryAfterMs } = await limiter.peek("a", { cost: 10 })
        for (const changed of [{ name: "one" }, { name: "two", block: "2d" }, { name: "three" }]) {
          await limiter.setPolicy({ ...rule, ...changed })
          const policy = changed.name
          has(await limiter.peek("a", { cost: 0 }), { policy, remaining, resetAfterMs }, `${told.algorithm}, ${policy}`)
          has(await limiter.peek("a", { cost: 10 }), { policy, retryAfterMs }, `${told.algorithm}, ${policy}`)
        }
        await limiter.setPolicy({ ...rule, block: "2d" })
        has(await limiter.check("a", { cost: 10 }), { allowed: false, retryAfterMs: 2 * dayMs }, told.algorithm)
        await limiter.setPolicy(rule)
        has(await limiter.check("a"), { reason: "blocked", retryAfterMs: 2 * dayMs }, told.algorithm)
      }
    },
  },
  {
    name: "setPolicy(): a rule takes over from the rule of the same algorithm and period",
    async run(make) {
      const limiter = await make("10/second; 100/hour", { clock: new ManualClock(START_MS) })
      await limiter.check("a", { cost: 10 })
      await limiter.setPolicy("200/hour; 20/second")
      const { rules } = await limiter.peek("a")
      has(rules![0]!, { policy: "200-per-1h", remaining: 190 }, "the rule per hour")
      has(rules![1]!, { policy: "20-per-1s", remaining: 10 }, "the rule per second")
      await limiter.check("b", { cost: 5 })
      await limiter.setPolicy("50/hour")
      has(await limiter.peek("a"), { remaining: 40, rules: undefined }, "the one rule that is left")
      has(await limiter.peek("b"), { remaining: 45 }, "another key")
    },
  },
  {
    name: "setPolicy(): blocks stay, and receipts from before can be settled",
    async run(make) {
      const limiter = await make("10/minute", { clock: new ManualClock(START_MS) })
      await limiter.block("a", "1h")
      const { receipt } = await limiter.check("b", { cost: 8 })
      await limiter.setPolicy("20/minute")
      has(await limiter.check("a"), { allowed: false, reason: "blocked", retryAfterMs: 3_600_000 }, "the blocked key")
      await limiter.refund(receipt!, 3)
      has(await limiter.peek("b"), { remaining: 15 }, "the key that got 3 units back")
    },
  },
  {
    name: "setPolicy(): a receipt that was settled stays so under a policy that keeps receipts longer",
    async run(make) {
      const clock = new ManualClock(START_MS)
      const limiter = await make("10/second", { clock })
      const settled = (await limiter.check("a", { cost: 10 })).receipt!
      await limiter.refund(settled)
      clock.advance(7_200_000)
      await limiter.setPolicy("10/day burst 10")
      await limiter.check("a", { cost: 10 })
      await limiter.refund(settled)
      has(await limiter.peek("a", { cost: 0 }), { remaining: 0 }, "the key")
    },
  },
  {
    name: "setPolicy(): a receipt that was too old stays so under a longer policy, and one that was not is open",
    async run(make) {
      const clock = new ManualClock(START_MS)
      const limiter = await make("30/minute", { clock })
      const { receipt: old } = await limiter.check("a")
      clock.advance(2 * 60_000)
      const { receipt: open } = await limiter.check("a")
      // An hour and twice the minute that the quota takes to fill, and one millisecond.
      clock.advance(3_600_000 + 1)
      await limiter.setPolicy("100/hour")
      await limiter.settle(old!, 5)
      await limiter.refund(old!)
      has(await limiter.peek("a", { cost: 0 }), { remaining: 100 }, "after the old one")
      await limiter.settle(open!, 5)
      has(await limiter.peek("a", { cost: 0 }), { remaining: 96 }, "after the other one")
    },
  },
  {
    name: "setPolicy(): a policy that is none is a PolicyError, and the old one stays",
    async run(make) {
      const limiter = await make("10/minute", { clock: new ManualClock(START_MS) })
      await limiter.check("a", { cost: 4 })
      await throws(() => limiter.setPolicy("10/fortnight"), { name: "PolicyError", code: "POLICY_INVALID" })
      await throws(() => limiter.setPolicy({ limit: 0, period: "1m" }), {
        name: "PolicyError",
        field: "limit",
        value: 0,
      })
      has(await limiter.check("a"), { allowed: true, limit: 10, remaining: 5 }, "the key")
    },
  },
  {
    name: "setPolicy(): before the first check it is simply the policy",
    async run(make) {
      const limiter = await make("10/minute", { clock: new ManualClock(START_MS) })
      await limiter.setPolicy("1/minute")
      same(await limiter.allow("a"), true, "allow()")
      same(await limiter.allow("a"), false, "allow() again")
    },
  },
  {
    name: "a policy that is none is a PolicyError when the limiter is made",
    async run(make) {
      const clock = new ManualClock(START_MS)
      const refused = (policy: unknown, field: string, value: unknown) =>
        throws(() => make(policy as PolicyInput, { clock }), { name: "PolicyError", field, value })
      await refused({ limit: 0, period: "1m" }, "limit", 0)
      await refused({ limit: 2 ** 31 + 1, period: "1m" }, "limit", 2 ** 31 + 1)
      await refused({ limit: 1.5, period: "1m" }, "limit", 1.5)
      await refused({ limit: 1, period: 0 }, "period", 0)
      await refused({ limit: 1, period: 315_360_000_001 }, "period", 315_360_000_001)
      await refused({ limit: 1, period: "1m", burst: 0 }, "burst", 0)
      await refused({ limit: 1, period: "1m", algorithm: "guess" }, "algorithm", "guess")
      await refused({ limit: 1, period: "1m", algorithm: "fixed_window", burst: 2 }, "burst", 2)
      await refused([], "rules.length", 0)
    },
  },
]
