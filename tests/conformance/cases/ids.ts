import { ManualClock } from "../../../src/types/clock.js"
import { has, isTrue, same, throws } from "../assert.js"
import { type LimiterCase, START_MS } from "../limiter-case.js"

/** All that is told again of an admission of 4 units, beside its receipt. */
const TOLD_AGAIN = { allowed: true, reason: "ok", key: "a", cost: 4, retryAfterMs: 0, delayMs: 0 } as const

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
    name: "check() and peek() with an id: an admission is told again as the key stands by then, its receipt as it was",
    needs: ["ids"],
    async run(make) {
      const clock = new ManualClock(START_MS)
      const limiter = await make("10/minute", { clock })
      const { receipt } = await limiter.check("a", { cost: 4, id: "x" })
      const isTold = async (state: object, when: string) => {
        for (const verb of ["check", "peek"] as const) {
          const again = await limiter[verb]("a", { cost: 4, id: "x" })
          has(again, { ...TOLD_AGAIN, limit: 10, ...state }, `${verb}() ${when}`)
          same(again.receipt, receipt, `the receipt of ${verb}() ${when}`)
        }
        same(await limiter.allow("a", { cost: 4, id: "x" }), true, `allow() ${when}`)
      }
      await limiter.check("a", { cost: 3 })
      await isTold({ remaining: 3, resetAfterMs: 42_000 }, "after another call")
      clock.advance(12_000)
      await isTold({ remaining: 5, resetAfterMs: 30_000 }, "after 12 seconds")
      await limiter.check("a", { cost: 5 })
      await isTold({ remaining: 0, resetAfterMs: 60_000 }, "when nothing is left")
      await limiter.charge("a", 5)
      await isTold({ remaining: 0, resetAfterMs: 90_000 }, "in debt")
      await limiter.block("a", "5s")
      await isTold({ remaining: 0, resetAfterMs: 90_000 }, "while blocked")
      await limiter.reset("a")
      await isTold({ remaining: 10, resetAfterMs: 0 }, "after a reset")
      await limiter.setPolicy("20/minute")
      await isTold({ limit: 20, remaining: 20, resetAfterMs: 0 }, "under another policy")
    },
  },
  {
    name: "check() with an id: told again, each rule is as it stands by then, and nothing is to be held",
    needs: ["ids"],
    async run(make) {
      const clock = new ManualClock(START_MS)
      const limiter = await make("6/minute leaky_bucket as fast; 100/hour as slow", { clock })
      await limiter.check("a", { cost: 2 })
      const first = await limiter.check("a", { cost: 4, id: "x" })
      same(first.delayMs, 20_000, "how long the first call is held")
      clock.advance(10_000)
      const again = await limiter.check("a", { cost: 4, id: "x" })
      has(again, { ...TOLD_AGAIN, policy: "fast", algorithm: "leaky_bucket", remaining: 1, resetAfterMs: 50_000 })
      same(again.receipt, first.receipt, "the receipt")
      same(
        again.rules?.map(({ policy, remaining, retryAfterMs }) => [policy, remaining, retryAfterMs]),
        [
          ["fast", 1, 0],
          ["slow", 94, 0],
        ],
        "the rules",
      )
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
