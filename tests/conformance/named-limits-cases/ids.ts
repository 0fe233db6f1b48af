import { ManualClock } from "../../../src/types/clock.js"
import type { AllDecision } from "../../../src/types/limiter.js"
import type { Receipt } from "../../../src/types/receipt.js"
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
  {
    name: "checkAll() with ids: a call that is repeated is told again, with its receipts, and charged once",
    async run(make) {
      const clock = new ManualClock(START_MS)
      const limits = await make({ clock, limits: { user: "5/minute", org: "9/hour" } })
      const items = [
        { key: "a", limit: "user", cost: 2, id: "x" },
        { key: "a", limit: "org", cost: 3, id: "x" },
        { key: "b", limit: "user" },
      ]
      const first = await limits.checkAll(items.slice(0, 2))
      await limits.charge("a", 9, { limit: "user" })
      await limits.charge("a", 9, { limit: "org" })
      const again = await limits.checkAll(items)
      has(again, { allowed: true, deniedKey: null }, "the answer")
      same(receipts(again).slice(0, 2), receipts(first), "the receipts told again")
      isTrue(receipts(again)[2] !== undefined, "the receipt of the item without an id")
      has(again.decisions[0]!, { reason: "ok", cost: 2, remaining: 0, retryAfterMs: 0 }, "the key as it stands by now")
      same(await limits.allowAll(items.slice(0, 2)), true, "allowAll()")
      const one = await limits.check("a", { limit: "user", cost: 2, id: "x" })
      same(one.receipt, receipts(first)[0], "a check of one limit and key under the same id")
      has(await limits.stats("a", { limit: "user" }), { totalAllowed: 1, totalAllowedCost: 2 }, "the statistics")
      has(await limits.peek("b", { limit: "user", cost: 0 }), { remaining: 4 }, "the item without an id")
    },
  },
  {
    name: "checkAll() with ids: what was refunded is asked anew, and what stands is not given back where that is denied",
    async run(make) {
      const limits = await make({ clock: new ManualClock(START_MS), limits: { user: "5/hour", org: "9/hour as o" } })
      const items = ["user", "org"].map((limit) => ({ key: "a", limit, cost: 4, id: "x" }))
      const left = async () =>
        Promise.all(
          items.map(async ({ key, limit }) => {
            return (await limits.peek(key, { limit, cost: 0 })).remaining
          }),
        )
      const first = await limits.checkAll(items)
      await limits.refund(receipts(first)[1]!)
      const second = await limits.checkAll(items)
      same(second.allowed, true, "the second answer")
      same(receipts(second)[0], receipts(first)[0], "the receipt told again")
      isTrue(receipts(second)[1]!.id !== receipts(first)[1]!.id, "another receipt of what was refunded")
      same(await left(), [1, 5], "what is left")
      await limits.refund(receipts(second)[1]!)
      await limits.charge("a", 6, { limit: "org" })
      for (const order of [items, items.toReversed()]) {
        const denied = await limits.checkAll(order)
        has(denied, { allowed: false, deniedKey: "a", deniedPolicy: "o" }, "the answer that denies")
        same(
          denied.decisions.map(({ allowed, receipt }) => [allowed, receipt]),
          order.map(({ limit }) => [limit === "user", undefined]),
          "its decisions",
        )
      }
      same(await left(), [1, 3], "what is left after the denials")
    },
  },
  {
    name: "checkAll() with an id of the call: it is that of each item that has none, and the call charges once",
    async run(make) {
      const limits = await make({ clock: new ManualClock(START_MS), limits: { user: "5/minute", org: "9/hour" } })
      const items = [
        { key: "a", limit: "user", cost: 2 },
        { key: "a", limit: "org", cost: 3 },
        { key: "b", limit: "org", id: "own" },
      ]
      const first = await limits.checkAll(items, { id: "x" })
      const again = await limits.checkAll(items, { id: "x" })
      same(receipts(again), receipts(first), "the receipts told again")
      same(await limits.allowAll(items, { id: "x" }), true, "allowAll()")
      const one = await limits.check("a", { limit: "user", cost: 2, id: "x" })
      same(one.receipt, receipts(first)[0], "a check of one limit and key under the same id")
      const own = await limits.check("b", { limit: "org", id: "own" })
      same(own.receipt, receipts(first)[2], "a check under the item's own id")
      has(await limits.peek("a", { limit: "user", cost: 0 }), { remaining: 3 }, "the first item")
      has(await limits.peek("b", { limit: "org", cost: 0 }), { remaining: 8 }, "the item with its own id")
      for (const options of [{ id: "" }, { id: 5 }, { ids: "x" }, "x", null]) {
        await throws(() => limits.checkAll(items, options as never), { name: "RangeError" })
        await throws(() => limits.allowAll(items, options as never), { name: "RangeError" })
      }
      has(await limits.peek("a", { limit: "user", cost: 0 }), { remaining: 3 }, "the first item after errors")
    },
  },
  {
    name: "checkAll() with ids: another cost and what can be no id are a RangeError, and nothing is charged",
    async run(make) {
      const limits = await make({ clock: new ManualClock(START_MS), limits: { user: "5/minute", org: "9/hour" } })
      await limits.check("a", { limit: "org", cost: 2, id: "x" })
      const ask = (cost: number, id: string) =>
        limits.checkAll([
          { key: "a", limit: "user", id: "y" },
          { key: "a", limit: "org", cost, id },
        ])
      await throws(() => ask(3, "x"), { name: "RangeError" })
      for (const id of ["", "x".repeat(65), "é", 1 as never]) await throws(() => ask(2, id), { name: "RangeError" })
      has(await limits.peek("a", { limit: "user", cost: 0 }), { remaining: 5 }, "the other item")
      same((await ask(2, "x")).allowed, true, "with the same cost")
      has(await limits.peek("a", { limit: "org", cost: 0 }), { remaining: 7 }, "the item that was admitted before")
    },
  },
]

function receipts({ decisions }: AllDecision): (Receipt | undefined)[] {
  return decisions.map(({ receipt }) => receipt)
}
