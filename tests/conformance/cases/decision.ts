import { ManualClock } from "../../../src/types/clock.js"
import { has, isTrue, same } from "../assert.js"
import { type LimiterCase, START_MS } from "../limiter-case.js"

export const decisionCases: readonly LimiterCase[] = [
  {
    name: "check(): a decision has every field, and a receipt of what was charged",
    async run(make) {
      const limiter = await make("100/minute burst 20 as api", { clock: new ManualClock(START_MS) })
      const decision = await limiter.check("user:1", { cost: 3 })
      const expected = {
        allowed: true,
        key: "user:1",
        policy: "api",
        algorithm: "gcra",
        limit: 100,
        remaining: 17,
        cost: 3,
        retryAfterMs: 0,
        resetAfterMs: 1_800,
        delayMs: 0,
        reason: "ok",
        rules: undefined,
      }
      has(decision, expected, "the decision")
      const { receipt } = decision
      isTrue(receipt !== undefined, "a receipt")
      has(receipt!, { key: "user:1", policy: "api", cost: 3, chargedAtMs: START_MS }, "the receipt")
      isTrue(typeof receipt!.id === "string" && receipt!.id.length > 0, "the receipt's id to be a text")
    },
  },
  {
    name: "check(): a decision survives JSON, its receipt included",
    async run(make) {
      const limiter = await make("10/second; 100/minute", { clock: new ManualClock(START_MS) })
      const decision = await limiter.check("user:1", { cost: 10 })
      const copy = JSON.parse(JSON.stringify(decision)) as typeof decision
      const { allowed, key, policy, algorithm, limit, remaining, cost, retryAfterMs } = decision
      has(copy, { allowed, key, policy, algorithm, limit, remaining, cost, retryAfterMs }, "the copy")
      const { resetAfterMs, delayMs, reason, receipt, rules } = decision
      has(copy, { resetAfterMs, delayMs, reason, receipt, rules }, "the copy")
      await limiter.refund(copy.receipt!)
      has(await limiter.peek("user:1"), { remaining: 10 }, "the decision after a refund of the copy")
    },
  },
  {
    name: "check(): receipts are of admitted charges only, and each has its own id",
    async run(make) {
      const limiter = await make("2/minute", { clock: new ManualClock(START_MS) })
      same((await limiter.peek("a")).receipt, undefined, "a peek's receipt")
      same((await limiter.check("a", { cost: 0 })).receipt, undefined, "the receipt of cost 0")
      const first = await limiter.check("a")
      const second = await limiter.check("a")
      isTrue(first.receipt!.id !== second.receipt!.id, "two receipts to have two ids")
      same((await limiter.check("a")).receipt, undefined, "a denial's receipt")
    },
  },
  {
    name: "check(): a denial consumes nothing, whatever its cost",
    async run(make) {
      const clock = new ManualClock(START_MS)
      const limiter = await make("10/second", { clock })
      await limiter.check("a", { cost: 8 })
      for (let i = 0; i < 50; i++) has(await limiter.check("a", { cost: 3 }), { allowed: false, retryAfterMs: 100 })
      has(await limiter.check("a", { cost: 2 }), { allowed: true, remaining: 0, resetAfterMs: 1_000 }, "what was left")
    },
  },
  {
    name: "check(): a client that polls faster than units come back is not starved",
    async run(make) {
      const clock = new ManualClock(START_MS)
      const limiter = await make("1/second", { clock })
      const admittedAt: number[] = []
      for (let atMs = 0; atMs <= 3_000; atMs += 50) {
        clock.set(START_MS + atMs)
        if (await limiter.allow("a")) admittedAt.push(atMs)
      }
      same(admittedAt, [0, 1_000, 2_000, 3_000], "the times of admission")
    },
  },
  {
    name: "peek(): says what check() would, and charges nothing",
    async run(make) {
      const limiter = await make("5/minute", { clock: new ManualClock(START_MS) })
      for (let i = 0; i < 10; i++) has(await limiter.peek("a"), { allowed: true, remaining: 5, cost: 1 }, "a new key")
      await limiter.check("a", { cost: 4 })
      for (let i = 0; i < 10; i++) has(await limiter.peek("a"), { allowed: true, remaining: 1 }, "one unit left")
      has(await limiter.peek("a", { cost: 2 }), { allowed: false, retryAfterMs: 12_000, reason: "limit" }, "two units")
      has(await limiter.check("a"), { allowed: true, remaining: 0 }, "the check after the peeks")
    },
  },
  {
    name: "allow(): charges as check() does, and says only whether",
    async run(make) {
      const limiter = await make("5/minute", { clock: new ManualClock(START_MS) })
      same(await limiter.allow("a"), true, "allow()")
      same(await limiter.allow("a", { cost: 3 }), true, "allow() of cost 3")
      same(await limiter.allow("a", { cost: 2 }), false, "allow() of cost 2")
      same(await limiter.allow("a", { cost: 0 }), true, "allow() of cost 0")
      has(await limiter.peek("a"), { remaining: 1 }, "the key")
      same(await limiter.allow("a"), true, "allow() of the last unit")
      same(await limiter.allow("a"), false, "allow() of an empty quota")
    },
  },
  {
    name: "limiters share nothing",
    async run(make) {
      const clock = new ManualClock(START_MS)
      const one = await make("1/minute", { clock })
      const other = await make("1/minute", { clock })
      same(await one.allow("a"), true, "allow() of the one")
      same(await other.allow("a"), true, "allow() of the other")
      same(await one.allow("a"), false, "allow() of the one again")
      same(await other.allow("a"), false, "allow() of the other again")
    },
  },
]
