import { ManualClock } from "../../../src/types/clock.js"
import type { Receipt } from "../../../src/types/receipt.js"
import { has, throws } from "../assert.js"
import { type LimiterCase, START_MS } from "../limiter-case.js"

export const refundCases: readonly LimiterCase[] = [
  {
    name: "refund(): gives back all units, or as many as it is told",
    async run(make) {
      const limiter = await make("10/second", { clock: new ManualClock(START_MS) })
      const part = await limiter.check("a", { cost: 10 })
      await limiter.refund(part.receipt!, 4)
      has(await limiter.peek("a"), { remaining: 4, resetAfterMs: 600 }, "4 units back")
      const all = await limiter.check("b", { cost: 7 })
      await limiter.refund(all.receipt!)
      has(await limiter.peek("b"), { remaining: 10, resetAfterMs: 0 }, "all units back")
    },
  },
  {
    name: "refund(): what has leaked since the charge is gone",
    async run(make) {
      const clock = new ManualClock(START_MS)
      const limiter = await make("10/second", { clock })
      const { receipt } = await limiter.check("a", { cost: 10 })
      clock.advance(250)
      has(await limiter.peek("a"), { remaining: 2, resetAfterMs: 750 }, "before the refund")
      // 4 units weigh 400 ms, of which 250 have passed.
      await limiter.refund(receipt!, 4)
      has(await limiter.peek("a"), { remaining: 4, resetAfterMs: 600 }, "after the refund")
      const second = await limiter.check("b", { cost: 3 })
      clock.advance(300)
      await limiter.check("b")
      await limiter.refund(second.receipt!)
      has(await limiter.peek("b"), { remaining: 9, resetAfterMs: 100 }, "a charge that had leaked as a whole")
    },
  },
  {
    name: "refund(): never raises a quota above its capacity",
    async run(make) {
      const clock = new ManualClock(START_MS)
      const limiter = await make("10/second", { clock })
      const first = await limiter.check("a", { cost: 5 })
      await limiter.reset("a")
      const second = await limiter.check("a", { cost: 2 })
      await limiter.refund(first.receipt!)
      await limiter.refund(second.receipt!)
      has(await limiter.peek("a"), { remaining: 10, resetAfterMs: 0 }, "the key")
      has(await limiter.check("a", { cost: 10 }), { allowed: true }, "the capacity")
      has(await limiter.check("a"), { allowed: false }, "one unit more")
    },
  },
  {
    name: "refund(): a receipt settles once, whichever verb settles it",
    async run(make) {
      const limiter = await make("10/hour", { clock: new ManualClock(START_MS) })
      const first = await limiter.check("a", { cost: 5 })
      await limiter.check("a", { cost: 5 })
      await limiter.refund(first.receipt!, 2)
      await limiter.refund(first.receipt!, 2)
      await limiter.refund({ ...first.receipt! })
      await limiter.settle(first.receipt!, 0)
      await limiter.settle(first.receipt!, 5)
      has(await limiter.peek("a"), { remaining: 2 }, "the key after one refund")
      const second = await limiter.check("b", { cost: 5 })
      await limiter.settle(second.receipt!, 4)
      await limiter.settle(second.receipt!, 0)
      await limiter.refund(second.receipt!)
      has(await limiter.peek("b"), { remaining: 6 }, "the key after one settlement")
    },
  },
  {
    name: "reset(): closes the receipts of what its key was charged before, for refund() and settle()",
    async run(make) {
      const clock = new ManualClock(START_MS)
      const limiter = await make("10/hour", { clock })
      const first = await limiter.check("a", { cost: 4 })
      const second = await limiter.check("a", { cost: 3 })
      const other = await limiter.check("b", { cost: 5 })
      await limiter.reset("a")
      const after = await limiter.check("a", { cost: 9 })
      await limiter.refund(first.receipt!)
      await limiter.settle(first.receipt!, 0)
      await limiter.settle(second.receipt!, 4)
      has(await limiter.peek("a"), { remaining: 1 }, "the key that was reset")
      await limiter.refund(other.receipt!)
      has(await limiter.peek("b"), { remaining: 10 }, "another key")
      await limiter.refund(after.receipt!, 5)
      has(await limiter.peek("a"), { remaining: 6 }, "the key with what was charged after it")
      clock.advance(1_000)
      await limiter.reset("a")
      await limiter.settle(second.receipt!, 0)
      await limiter.check("a", { cost: 10 })
      await limiter.refund(after.receipt!)
      has(await limiter.peek("a"), { remaining: 0 }, "the key that was reset again")
    },
  },
  {
    name: "refund(): what had leaked before the clock was set back, and the key with it, is gone",
    async run(make) {
      const clock = new ManualClock(START_MS)
      const limiter = await make("8/100ms", { clock })
      const { receipt } = await limiter.check("a", { cost: 3 })
      clock.advance(87)
      await limiter.check("a", { cost: 4 })
      clock.advance(-93)
      await limiter.refund(receipt!)
      has(await limiter.peek("a", { cost: 0 }), { remaining: 4, resetAfterMs: 50 }, "the key")
    },
  },
  {
    name: "refund(): a charge that moves its key back to the clock counts from there",
    async run(make) {
      const clock = new ManualClock(START_MS)
      const limiter = await make("1000/1000s", { clock })
      await limiter.check("a")
      clock.advance(-990_000)
      const { receipt } = await limiter.check("a", { cost: 999 })
      has(receipt!, { chargedAtMs: START_MS - 990_000 }, "the receipt")
      clock.advance(989_000)
      has(await limiter.check("a", { cost: 980 }), { allowed: true }, "what has leaked since")
      await limiter.refund(receipt!)
      has(await limiter.check("a", { cost: 980 }), { allowed: false }, "what would be more")
    },
  },
  {
    name: "refund(): a fixed window gets its charge back though the clock went back a little",
    async run(make) {
      const clock = new ManualClock(START_MS - (START_MS % 60_000) + 30_000)
      const limiter = await make("10/minute fixed_window", { clock })
      const { receipt } = await limiter.check("a", { cost: 4 })
      clock.advance(-5)
      await limiter.refund(receipt!)
      has(await limiter.peek("a"), { remaining: 10 }, "the key")
    },
  },
  {
    name: "refund(): a receipt that cannot be is an error, and the true one stays open",
    async run(make) {
      const limiter = await make("10/hour", { clock: new ManualClock(START_MS) })
      const { receipt } = await limiter.check("a", { cost: 5 })
      const { chargedAtMs: _, ...timeless } = receipt!
      const forged = [
        timeless as unknown as Receipt,
        { ...receipt!, chargedAtMs: Number.NaN },
        { ...receipt!, chargedAtMs: -1 },
        { ...receipt!, chargedAtMs: 0.5 },
        { ...receipt!, chargedAtMs: 2 ** 47 },
        { ...receipt!, chargedAtMs: String(START_MS) as unknown as number },
      ]
      for (const wrong of forged) {
        await throws(() => limiter.refund(wrong, 5), { name: "RangeError" })
        await throws(() => limiter.settle(wrong, 1), { name: "RangeError" })
      }
      await throws(() => limiter.refund({ ...receipt!, key: "" }, 5), { name: "KeyError" })
      has(await limiter.peek("a"), { remaining: 5 }, "the key after the errors")
      await limiter.refund(receipt!, 5)
      has(await limiter.peek("a"), { remaining: 10 }, "the key after the refund")
    },
  },
  {
    name: "refund(): units out of range are a RangeError, and the receipt stays open",
    async run(make) {
      const limiter = await make("10/hour", { clock: new ManualClock(START_MS) })
      const { receipt } = await limiter.check("a", { cost: 5 })
      for (const units of [-1, 6, 0.5, Number.NaN, Infinity, 2 ** 53, "1" as unknown as number]) {
        await throws(() => limiter.refund(receipt!, units), { name: "RangeError" })
      }
      has(await limiter.peek("a"), { remaining: 5 }, "the key after the errors")
      await limiter.refund(receipt!, 5)
      has(await limiter.peek("a"), { remaining: 10 }, "the key after the refund")
    },
  },
  {
    name: "refund() and settle(): a receipt of another limiter is a RangeError",
    async run(make) {
      const clock = new ManualClock(START_MS)
      const limiter = await make("10/hour", { clock })
      const other = await make("10/hour", { clock })
      const { receipt } = await other.check("a", { cost: 5 })
      await throws(() => limiter.refund(receipt!), { name: "RangeError" })
      await limiter.check("a", { cost: 5 })
      await throws(() => limiter.refund(receipt!), { name: "RangeError" })
      await throws(() => limiter.settle(receipt!, 0), { name: "RangeError" })
      has(await limiter.peek("a"), { remaining: 5 }, "the key")
    },
  },
  {
    name: "refund(): a fixed window gets back only what it was charged itself",
    async run(make) {
      const clock = new ManualClock(START_MS + 59_000)
      const limiter = await make("5/minute fixed_window", { clock })
      const old = await limiter.check("a", { cost: 5 })
      clock.advance(1_000)
      const current = await limiter.check("a", { cost: 3 })
      await limiter.refund(old.receipt!)
      has(await limiter.peek("a"), { remaining: 2 }, "after a refund to the window before")
      await limiter.refund(current.receipt!, 1)
      has(await limiter.peek("a"), { remaining: 3 }, "after a refund to this window")
    },
  },
  {
    name: "refund(): a sliding window gives back to the window that was charged",
    async run(make) {
      const clock = new ManualClock(START_MS)
      const limiter = await make("10/minute sliding_window", { clock })
      const { receipt } = await limiter.check("a", { cost: 10 })
      clock.advance(90_000)
      has(await limiter.peek("a"), { remaining: 5 }, "half of 10 counts")
      await limiter.refund(receipt!, 4)
      has(await limiter.peek("a"), { remaining: 7 }, "half of 6 counts")
    },
  },
  {
    name: "refund(): a log gives back to the charge, while it is in the window",
    async run(make) {
      const clock = new ManualClock(START_MS)
      const limiter = await make("5/10s sliding_window_log", { clock })
      const first = await limiter.check("a", { cost: 2 })
      clock.advance(4_000)
      const second = await limiter.check("a", { cost: 3 })
      await limiter.refund(first.receipt!, 1)
      has(await limiter.check("a", { cost: 2 }), { allowed: false, remaining: 1, retryAfterMs: 6_000 }, "at 4 s")
      clock.advance(10_000)
      await limiter.check("a")
      await limiter.refund(second.receipt!)
      has(await limiter.peek("a"), { remaining: 4 }, "after the charge has left")
    },
  },
  {
    name: "refund(): a bucket with steps takes a started step for one that has refilled",
    async run(make) {
      const clock = new ManualClock(START_MS)
      const refill = { amount: 5, every: "5s" }
      const policy = { limit: 60, period: "1m", algorithm: "token_bucket", burst: 10, refill } as const
      const limiter = await make(policy, { clock })
      const first = await limiter.check("a", { cost: 8 })
      const second = await limiter.check("b", { cost: 8 })
      await limiter.refund(first.receipt!)
      has(await limiter.peek("a"), { remaining: 10, resetAfterMs: 0 }, "a refund at once")
      clock.advance(1_000)
      await limiter.refund(second.receipt!)
      has(await limiter.peek("b"), { remaining: 5, resetAfterMs: 4_000 }, "a refund 1 s later")
    },
  },
  {
    name: "refund(): with several rules each gets back what it still holds",
    async run(make) {
      const clock = new ManualClock(START_MS)
      const limiter = await make("10/second; 10/minute", { clock })
      const { receipt } = await limiter.check("a", { cost: 10 })
      clock.advance(500)
      await limiter.refund(receipt!)
      // The first rule holds 5 of the 10 units, and all of them can be given back; the second 10 less 1/12.
      const { rules } = await limiter.peek("a")
      has(rules![0]!, { remaining: 10, resetAfterMs: 0 }, "the first rule")
      has(rules![1]!, { remaining: 10, resetAfterMs: 0 }, "the second rule")
    },
  },
  {
    name: "settle(): refunds what was not needed, and charges what was missing",
    async run(make) {
      const limiter = await make("20/hour", { clock: new ManualClock(START_MS) })
      const less = await limiter.check("a", { cost: 10 })
      await limiter.settle(less.receipt!, 4)
      has(await limiter.peek("a"), { remaining: 16 }, "10 reserved and 4 used")
      const more = await limiter.check("b", { cost: 5 })
      await limiter.settle(more.receipt!, 8)
      has(await limiter.peek("b"), { remaining: 12 }, "5 reserved and 8 used")
      const exact = await limiter.check("c", { cost: 5 })
      await limiter.settle(exact.receipt!, 5)
      has(await limiter.peek("c"), { remaining: 15 }, "5 reserved and 5 used")
      const none = await limiter.check("d", { cost: 5 })
      await limiter.settle(none.receipt!, 0)
      has(await limiter.peek("d"), { remaining: 20 }, "5 reserved and none used")
    },
  },
  {
    name: "settle(): may put a key into debt",
    async run(make) {
      const limiter = await make("10/second", { clock: new ManualClock(START_MS) })
      const { receipt } = await limiter.check("a", { cost: 10 })
      await limiter.settle(receipt!, 15)
      has(await limiter.check("a"), { allowed: false, remaining: 0, retryAfterMs: 600, resetAfterMs: 1_500 })
    },
  },
  {
    name: "settle(): a cost that is none is a RangeError, and the receipt stays open",
    async run(make) {
      const limiter = await make("10/hour", { clock: new ManualClock(START_MS) })
      const { receipt } = await limiter.check("a", { cost: 5 })
      for (const cost of [-1, 0.5, Number.NaN, Infinity, 2 ** 31 + 1, "1" as unknown as number]) {
        await throws(() => limiter.settle(receipt!, cost), { name: "RangeError" })
      }
      has(await limiter.peek("a"), { remaining: 5 }, "the key after the errors")
      await limiter.settle(receipt!, 2)
      has(await limiter.peek("a"), { remaining: 8 }, "the key after the settlement")
    },
  },
]
