import { ManualClock } from "../../../src/types/clock.js"
import { has, isTrue, same, throws } from "../assert.js"
import { type LimiterCase, START_MS } from "../limiter-case.js"

export const idCases: readonly LimiterCase[] = [
  {
    name: "check() with an id: an admission is told again for 5 minutes, and charged once",
    needs: ["ids"],
    async run(make) {
      const clock = new ManualClock(START_MS)
      const limiter = await make("9/hour", { clock })
      const first = await limiter.check("a", { cost: 4, id: "call-1" })
      clock.advance(299_999)
      const again = await limiter.check("a", { cost: 4, id: "call-1" })
      same(again.receipt, first.receipt, "the receipt")
      has(again, { allowed: true, remaining: 5, cost: 4 }, "the decision told again")
      has(await limiter.check("b", { cost: 4, id: "call-1" }), { key: "b", remaining: 5 }, "another key")
      clock.advance(2)
      const later = await limiter.check("a", { cost: 4, id: "call-1" })
      same(later.receipt!.chargedAtMs, START_MS + 300_001, "when it was charged anew")
    },
  },
  {
    name: "check() with an id: a denial is not remembered",
    needs: ["ids"],
    async run(make) {
      const clock = new ManualClock(START_MS)
      const limiter = await make("1/minute", { clock })
      await limiter.check("a")
      has(await limiter.check("a", { id: "x" }), { allowed: false }, "the denial")
      clock.advance(60_000)
      has(await limiter.check("a", { id: "x" }), { allowed: true }, "the retry")
    },
  },
  {
    name: "check() with an id that was admitted with another cost is a RangeError naming both, and charges nothing",
    needs: ["ids"],
    async run(make) {
      const limiter = await make("9/hour", { clock: new ManualClock(START_MS) })
      await limiter.check("a", { cost: 4, id: "x" })
      for (const cost of [5, 3, 0]) {
        const message = `Cannot check under id "x": cost is ${cost}, allowed is 4.`
        await throws(() => limiter.check("a", { cost, id: "x" }), { name: "RangeError", message })
      }
      await throws(() => limiter.check("a", { id: "x" }), { name: "RangeError" })
      has(await limiter.check("a", { cost: 4, id: "x" }), { allowed: true, remaining: 5 }, "the same cost")
      has(await limiter.check("b", { cost: 5, id: "x" }), { allowed: true, remaining: 4 }, "another key")
    },
  },
  {
    name: "check() with an id whose admission was refunded or settled is charged anew",
    needs: ["ids"],
    async run(make) {
      const limiter = await make("9/hour", { clock: new ManualClock(START_MS) })
      const first = await limiter.check("a", { cost: 4, id: "x" })
      await limiter.refund(first.receipt!)
      const second = await limiter.check("a", { cost: 4, id: "x" })
      isTrue(second.receipt!.id !== first.receipt!.id, "a new charge after the refund")
      has(second, { allowed: true, remaining: 5 }, "the second charge")
      // What was settled once settles no more, and leaves the second one's id alone.
      await limiter.refund(first.receipt!)
      same((await limiter.check("a", { cost: 4, id: "x" })).receipt, second.receipt, "the second charge's receipt")
      await limiter.settle(second.receipt!, 3)
      has(await limiter.check("a", { cost: 4, id: "x" }), { allowed: true, remaining: 2 }, "the third charge")
    },
  },
  {
    name: "check() with an id that cannot be is a RangeError, and charges nothing",
    needs: ["ids"],
    async run(make) {
      const limiter = await make("9/hour", { clock: new ManualClock(START_MS) })
      for (const id of ["", "x".repeat(65), "é", "a\n", 1 as never]) {
        await throws(() => limiter.check("a", { id }), { name: "RangeError" })
      }
      has(await limiter.peek("a", { cost: 0 }), { remaining: 9 }, "the key")
    },
  },
]
