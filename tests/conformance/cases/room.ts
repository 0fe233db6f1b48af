import { ManualClock } from "../../../src/types/clock.js"
import { has, isTrue, same, throws } from "../assert.js"
import { type LimiterCase, START_MS } from "../limiter-case.js"

export const roomCases: readonly LimiterCase[] = [
  {
    name: "maxKeys with deny-new: a new key is denied while there is no room, the held ones go on",
    needs: ["maxKeys"],
    async run(make) {
      const clock = new ManualClock(START_MS)
      const limiter = await make("5/second", { clock, maxKeys: 2, onFull: "deny-new" })
      await limiter.check("a", { cost: 5 })
      clock.advance(100)
      await limiter.check("b", { cost: 1 })
      const denied = await limiter.check("c")
      has(denied, { allowed: false, key: "c", reason: "limit", receipt: undefined }, "the decision on a third key")
      isTrue(denied.retryAfterMs >= 1, "a denial to have a wait")
      same(await limiter.allow("c"), false, "allow() of a third key")
      await throws(() => limiter.charge("c", 1), { name: "RangeError" })
      has(await limiter.check("a"), { allowed: false, remaining: 0, retryAfterMs: 100 }, "the first key")
      has(await limiter.check("b"), { allowed: true, remaining: 3 }, "the second key")
      clock.advance(400)
      // The second key is full again, so it makes room.
      has(await limiter.check("c"), { allowed: true, remaining: 4 }, "the third key when there is room")
      has(await limiter.peek("a"), { remaining: 2 }, "the first key then")
    },
  },
  {
    name: "maxKeys with evict-nearest-full: a new key takes the room of the one that would be full soonest",
    needs: ["maxKeys"],
    async run(make) {
      const limiter = await make("10/hour", {
        clock: new ManualClock(START_MS),
        maxKeys: 3,
        onFull: "evict-nearest-full",
      })
      await limiter.check("a", { cost: 9 })
      await limiter.check("b", { cost: 2 })
      await limiter.check("c", { cost: 5 })
      has(await limiter.check("d", { cost: 4 }), { allowed: true, remaining: 6 }, "the fourth key")
      has(await limiter.peek("b"), { remaining: 10 }, "the key that was nearest to full")
      has(await limiter.peek("a"), { remaining: 1 }, "the first key")
      has(await limiter.peek("c"), { remaining: 5 }, "the third key")
      has(await limiter.peek("d"), { remaining: 6 }, "the fourth key afterwards")
    },
  },
  {
    name: "maxKeys: idle keys make room before any other",
    needs: ["maxKeys"],
    async run(make) {
      const clock = new ManualClock(START_MS)
      const limiter = await make("10/second", { clock, maxKeys: 2 })
      await limiter.check("a", { cost: 1 })
      await limiter.check("b", { cost: 10 })
      clock.advance(500)
      same(await limiter.allow("c", { cost: 10 }), true, "allow() of a third key")
      has(await limiter.peek("b"), { remaining: 5 }, "the key in use")
    },
  },
  {
    name: "maxKeys 1: each new key replaces the last",
    needs: ["maxKeys"],
    async run(make) {
      const limiter = await make("2/hour", { clock: new ManualClock(START_MS), maxKeys: 1 })
      for (let i = 0; i < 100; i++) has(await limiter.check(`key ${i}`), { allowed: true, remaining: 1 }, `key ${i}`)
      has(await limiter.check("key 99"), { allowed: true, remaining: 0 }, "the last key")
      has(await limiter.peek("key 98"), { remaining: 2 }, "the one before")
    },
  },
  {
    name: "size: only keys with something to tell are held, and a sweep removes the idle ones",
    needs: ["size"],
    async run(make) {
      const clock = new ManualClock(START_MS)
      const limiter = await make("10/second", { clock })
      same(await limiter.size, 0, "the size of a new limiter")
      await limiter.peek("a")
      await limiter.check("a", { cost: 0 })
      await limiter.charge("a", 0)
      await limiter.status("a")
      await limiter.reset("a")
      same(await limiter.size, 0, "the size after questions")
      for (let i = 0; i < 1_000; i++) await limiter.check(`key ${i}`, { cost: 1 + (i % 2) })
      same(await limiter.size, 1_000, "the size with 1,000 keys in use")
      same(await limiter.sweep!(1_000_000), 0, "a sweep while all are in use")
      clock.advance(100)
      same(await limiter.sweep!(1_000_000), 500, "a sweep when half are full again")
      same(await limiter.size, 500, "the size then")
      clock.advance(100)
      same(await limiter.sweep!(1_000_000), 500, "a sweep when all are full again")
      same(await limiter.size, 0, "the size at last")
      await limiter.check("a")
      await limiter.reset("a")
      same(await limiter.size, 0, "the size after a reset")
      const { receipt } = await limiter.check("a")
      await limiter.refund(receipt!)
      same(await limiter.size, 0, "the size after a full refund")
      await throws(() => limiter.sweep!(-1), { name: "RangeError" })
      await throws(() => limiter.sweep!(0.5), { name: "RangeError" })
    },
  },
]
