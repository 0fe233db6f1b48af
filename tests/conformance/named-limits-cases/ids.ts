import { ManualClock } from "../../../src/types/clock.js"
import { has, isTrue, same, throws } from "../assert.js"
import { START_MS } from "../limiter-case.js"
import type { NamedLimitsCase } from "../named-limits-case.js"

export const idCases: readonly NamedLimitsCase[] = [
  {
    name: "check() with an id: an admission that is repeated within 5 minutes is told again, not made again",
    async run(make) {
      const clock = new ManualClock(START_MS)
      const limits = await make({ clock, limits: { api: "9/hour" } })
      const first = await limits.check("a", { limit: "api", cost: 4, id: "call-1" })
      clock.advance(299_999)
      const again = await limits.check("a", { limit: "api", cost: 4, id: "call-1" })
      same(again.receipt, first.receipt, "the receipt")
      has(again, { allowed: true, remaining: 5, cost: 4 }, "the decision")
      same(await limits.allow("a", { limit: "api", cost: 4, id: "call-1" }), true, "allow()")
      has(await limits.stats("a", { limit: "api" }), { totalAllowed: 1, totalAllowedCost: 4 }, "the statistics")
      clock.advance(2)
      const later = await limits.check("a", { limit: "api", cost: 4, id: "call-1" })
      isTrue(later.receipt!.id !== first.receipt!.id, "a new charge after 5 minutes")
      has(await limits.stats("a", { limit: "api" }), { totalAllowed: 2 }, "the statistics after it")
    },
  },
  {
    name: "check() and peek() with an id: an admission is told again as the key stands by then, its receipt as it was",
    async run(make) {
      const clock = new ManualClock(START_MS)
      const limits = await make({ clock, limits: { api: "10/minute" } })
      const { receipt } = await limits.check("a", { limit: "api", cost: 4, id: "x" })
      const isTold = async (state: object, when: string) => {
        for (const verb of ["check", "peek"] as const) {
          const again = await limits[verb]("a", { limit: "api", cost: 4, id: "x" })
          has(
            again,
            { allowed: true, reason: "ok", cost: 4, retryAfterMs: 0, delayMs: 0, ...state },
            `${verb}() ${when}`,
          )
          same(again.receipt, receipt, `the receipt of ${verb}() ${when}`)
        }
      }
      await limits.checkAll([{ key: "a", limit: "api", cost: 3 }])
      await isTold({ remaining: 3, resetAfterMs: 42_000 }, "after a group")
      clock.advance(12_000)
      await limits.charge("a", 10, { limit: "api" })
      await isTold({ remaining: 0, resetAfterMs: 90_000 }, "in debt")
      await limits.block("a", "5s", { limit: "api" })
      await isTold({ remaining: 0, resetAfterMs: 90_000 }, "while blocked")
      await limits.reset("a", { limit: "api" })
      await limits.define("api", "20/minute")
      await isTold({ limit: 20, remaining: 20, resetAfterMs: 0 }, "under another policy")
      await limits.define("api", "30/minute as wide")
      const renamed = await limits.check("a", { limit: "api", cost: 4, id: "x" })
      same(renamed.receipt, { ...receipt, policy: "wide" }, "the receipt under a policy of another name")
    },
  },
  {
    name: "check() with an id: a denial is not remembered, and nothing is under cost 0",
    async run(make) {
      const clock = new ManualClock(START_MS)
      const limits = await make({ clock, limits: { api: "1/minute" } })
      await limits.check("a", { limit: "api" })
      has(await limits.check("a", { limit: "api", id: "x" }), { allowed: false }, "the denial")
      clock.advance(60_000)
      has(await limits.check("a", { limit: "api", cost: 0, id: "x" }), { allowed: true }, "cost 0")
      has(await limits.check("a", { limit: "api", id: "x" }), { allowed: true, remaining: 0 }, "the retry")
      has(await limits.check("a", { limit: "api", id: "y" }), { allowed: false }, "another call")
    },
  },
  {
    name: "check() with an id: another cost is a RangeError, and what was refunded or settled is charged anew",
    async run(make) {
      const limits = await make({ clock: new ManualClock(START_MS), limits: { api: "9/hour" } })
      const ask = (cost: number) => limits.check("a", { limit: "api", cost, id: "x" })
      const first = await ask(4)
      await throws(() => ask(5), { name: "RangeError" })
      await throws(() => limits.peek("a", { limit: "api", id: "x" }), { name: "RangeError" })
      await limits.refund(first.receipt!)
      const second = await ask(4)
      isTrue(second.receipt!.id !== first.receipt!.id, "a new charge after the refund")
      has(second, { allowed: true, remaining: 5 }, "the second charge")
      await limits.settle(second.receipt!, 3)
      has(await ask(4), { allowed: true, remaining: 2 }, "the third charge")
    },
  },
  {
    name: "check() with an id: it belongs to one key under one limit",
    async run(make) {
      const limits = await make({ clock: new ManualClock(START_MS), limits: { api: "9/hour", default: "9/hour" } })
      await limits.check("a", { limit: "api", id: "x" })
      has(await limits.check("b", { limit: "api", id: "x" }), { key: "b", remaining: 8 }, "another key")
      has(await limits.check("a", { id: "x" }), { remaining: 8 }, "another limit")
      has(await limits.check("a", { limit: "api", id: "y" }), { remaining: 7 }, "another id")
      for (const id of ["", "x".repeat(65), "é", "a\n", 1 as never]) {
        await throws(() => limits.check("a", { limit: "api", id }), { name: "RangeError" })
      }
      has(await limits.peek("a", { limit: "api", cost: 0 }), { remaining: 7 }, "the key")
    },
  },
]
