import { ManualClock } from "../../../src/types/clock.js"
import { has, same, throws } from "../assert.js"
import { type LimiterCase, START_MS } from "../limiter-case.js"

const BLOCKING = { limit: 1, period: "1s", block: "1m" } as const

export const blockCases: readonly LimiterCase[] = [
  {
    name: "policy block: a denial blocks the key, and denials meanwhile do not extend it",
    async run(make) {
      const clock = new ManualClock(START_MS)
      const limiter = await make(BLOCKING, { clock })
      has(await limiter.check("a"), { allowed: true, reason: "ok" }, "the first decision")
      has(await limiter.check("a"), { allowed: false, reason: "limit", retryAfterMs: 60_000 }, "the denial")
      clock.advance(30_000)
      has(await limiter.check("a"), { allowed: false, reason: "blocked", retryAfterMs: 30_000 }, "30 s later")
      same(await limiter.allow("b"), true, "allow() of another key")
      clock.advance(29_999)
      has(await limiter.check("a"), { allowed: false, reason: "blocked", retryAfterMs: 1 }, "1 ms before the end")
      clock.advance(1)
      has(await limiter.check("a"), { allowed: true, remaining: 0, reason: "ok" }, "at the end")
    },
  },
  {
    name: "block(): where no rule waits, the one with the least share left speaks, as in status()",
    async run(make) {
      const clock = new ManualClock(START_MS)
      const limiter = await make("5/second; 10/day", { clock })
      await limiter.check("a", { cost: 5 })
      await limiter.block("a", "1m")
      const fast = { allowed: false, reason: "blocked", policy: "5-per-1s", remaining: 0, resetAfterMs: 1_000 }
      has(await limiter.peek("a", { cost: 5 }), { ...fast, retryAfterMs: 60_000 }, "the peek while a rule waits")
      clock.advance(1_000)
      const slow = { policy: "10-per-1d", remaining: 5, resetAfterMs: 43_199_000 }
      const denial = { ...slow, allowed: false, reason: "blocked", algorithm: "gcra", limit: 10, retryAfterMs: 59_000 }
      has(await limiter.peek("a"), denial, "the peek while none waits")
      has(await limiter.check("a"), denial, "the check while none waits")
      has(await limiter.status("a"), { ...slow, blockedForMs: 59_000 }, "the status")
    },
  },
  {
    name: "policy block: peek() and cost 0 do not start one",
    async run(make) {
      const clock = new ManualClock(START_MS)
      const limiter = await make(BLOCKING, { clock })
      await limiter.check("a")
      has(await limiter.peek("a"), { allowed: false, reason: "limit" }, "the peek")
      await limiter.charge("a", 1)
      has(await limiter.check("a", { cost: 0 }), { allowed: false, reason: "limit" }, "cost 0 in debt")
      clock.advance(2_000)
      has(await limiter.check("a"), { allowed: true, reason: "ok" }, "a check when the quota is full again")
    },
  },
  {
    name: "block(): denies a key for a time, consumes nothing, and the last word counts",
    async run(make) {
      const clock = new ManualClock(START_MS)
      const limiter = await make("10/minute", { clock })
      await limiter.check("a", { cost: 4 })
      await limiter.block("a", "10s")
      const blocked = { allowed: false, reason: "blocked", remaining: 6, delayMs: 0, receipt: undefined }
      has(await limiter.check("a"), { ...blocked, retryAfterMs: 10_000 }, "blocked for 10 s")
      has(await limiter.peek("a"), { ...blocked, retryAfterMs: 10_000 }, "the peek")
      same(await limiter.allow("a"), false, "allow()")
      await limiter.block("a", 2_000)
      has(await limiter.check("a"), { ...blocked, retryAfterMs: 2_000 }, "blocked for 2 s")
      clock.advance(1_999)
      has(await limiter.check("a"), { ...blocked, retryAfterMs: 1 }, "1 ms before the end")
      clock.advance(1)
      has(await limiter.check("a", { cost: 6 }), { allowed: true, reason: "ok", remaining: 0 }, "at the end")
    },
  },
  {
    name: "block(): the wait is the longer one of block and quota",
    async run(make) {
      const limiter = await make("1/minute", { clock: new ManualClock(START_MS) })
      await limiter.check("a")
      await limiter.block("a", "1s")
      has(await limiter.check("a"), { allowed: false, reason: "blocked", retryAfterMs: 60_000 }, "a short block")
      await limiter.block("a", "2m")
      has(await limiter.check("a"), { allowed: false, reason: "blocked", retryAfterMs: 120_000 }, "a long block")
    },
  },
  {
    name: "block(): 1 ms to 10 years; any other duration is an error and changes nothing",
    async run(make) {
      const clock = new ManualClock(START_MS)
      const limiter = await make("10/minute", { clock })
      for (const duration of [0, -1, 0.5, Number.NaN, 315_360_000_001, "0s", "10", "3 fortnights", ""]) {
        await throws(() => limiter.block("a", duration), { name: "RangeError" })
      }
      same(await limiter.allow("a"), true, "allow() after the errors")
      await limiter.block("a", 1)
      has(await limiter.check("a"), { allowed: false, retryAfterMs: 1 }, "blocked for 1 ms")
      await limiter.block("a", 315_360_000_000)
      clock.advance(2 ** 31)
      has(await limiter.check("a"), { allowed: false, retryAfterMs: 315_360_000_000 - 2 ** 31 }, "24.9 days later")
    },
  },
  {
    name: "unblock(): ends a block, and tells whether there was one",
    async run(make) {
      const limiter = await make("10/minute", { clock: new ManualClock(START_MS) })
      same(await limiter.unblock("a"), false, "unblock() of a free key")
      await limiter.block("a", "1h")
      same(await limiter.allow("a"), false, "allow() while blocked")
      same(await limiter.unblock("a"), true, "unblock() of a blocked key")
      same(await limiter.allow("a"), true, "allow() afterwards")
      same(await limiter.unblock("a"), false, "unblock() again")
    },
  },
  {
    name: "unblock(): a block that has ended by itself is none, and does not come back with a clock that is set back",
    async run(make) {
      const clock = new ManualClock(START_MS)
      const limiter = await make({ limit: 1, period: "1s", block: "1m" }, { clock })
      await limiter.block("a", "10s")
      clock.advance(9_999)
      same(await limiter.unblock("a"), true, "unblock() in the block's last millisecond")
      await limiter.block("a", "10s")
      clock.advance(10_000)
      same(await limiter.unblock("a"), false, "unblock() when the block has ended")
      same(await limiter.unblock("a"), false, "unblock() again")
      clock.set(START_MS + 15_000)
      same(await limiter.allow("a"), true, "allow() at a time of the block")
      await limiter.check("b")
      has(await limiter.check("b"), { allowed: false, retryAfterMs: 60_000 }, "the denial that blocks")
      clock.advance(60_000)
      same(await limiter.unblock("b"), false, "unblock() when the block of the policy has ended")
      await limiter.check("b")
      await limiter.check("b")
      same(await limiter.unblock("b"), true, "unblock() in the block of the policy")
      same((await limiter.status("b")).blockedForMs, 0, "the status")
    },
  },
  {
    name: "reset(): makes the quota full, ends a block, and tells whether there was anything to forget",
    async run(make) {
      const clock = new ManualClock(START_MS)
      const limiter = await make("10/minute", { clock })
      same(await limiter.reset("a"), false, "reset() of an unknown key")
      await limiter.check("a", { cost: 7 })
      await limiter.check("b", { cost: 7 })
      same(await limiter.reset("a"), true, "reset() of a used key")
      has(await limiter.peek("a"), { remaining: 10, resetAfterMs: 0 }, "the key")
      has(await limiter.peek("b"), { remaining: 3 }, "another key")
      same(await limiter.reset("a"), false, "reset() again")
      await limiter.block("a", "1h")
      same(await limiter.reset("a"), true, "reset() of a blocked key")
      same(await limiter.allow("a"), true, "allow() afterwards")
      await limiter.charge("c", 100)
      same(await limiter.reset("c"), true, "reset() of a key in debt")
      has(await limiter.peek("c"), { remaining: 10 }, "the key that was in debt")
      await limiter.check("a")
      await limiter.block("c", "1m")
      clock.advance(60_000)
      same(await limiter.reset("a"), false, "reset() of a key that is full again")
      same(await limiter.reset("c"), false, "reset() of a key whose block has ended")
    },
  },
]
