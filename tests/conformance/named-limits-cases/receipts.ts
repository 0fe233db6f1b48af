import { ManualClock } from "../../../src/types/clock.js"
import { has, throws } from "../assert.js"
import { START_MS } from "../limiter-case.js"
import type { NamedLimitsCase } from "../named-limits-case.js"

export const receiptCases: readonly NamedLimitsCase[] = [
  {
    name: "refund() and settle(): go to the limit that was charged, by the receipt alone",
    async run(make) {
      const limits = await make({ clock: new ManualClock(START_MS), limits: { api: "9/hour", default: "9/hour" } })
      const api = await limits.check("a", { limit: "api", cost: 5 })
      const other = await limits.check("a", { cost: 5 })
      has(api.receipt!, { key: "a", cost: 5, chargedAtMs: START_MS }, "the receipt")
      await limits.refund(JSON.parse(JSON.stringify(api.receipt)), 2)
      has(await limits.peek("a", { limit: "api", cost: 0 }), { remaining: 6 }, "the limit that was refunded")
      await limits.settle(other.receipt!, 7)
      has(await limits.peek("a", { cost: 0 }), { remaining: 2 }, "the limit that was settled for more")
    },
  },
  {
    name: "refund() and settle(): a receipt settles once",
    async run(make) {
      const limits = await make({ clock: new ManualClock(START_MS), limits: { api: "9/hour" } })
      await limits.check("a", { limit: "api", cost: 4 })
      const { receipt } = await limits.check("a", { limit: "api", cost: 4 })
      await limits.settle(receipt!, 3)
      await limits.settle(receipt!, 0)
      await limits.refund(receipt!)
      has(await limits.peek("a", { limit: "api", cost: 0 }), { remaining: 2 })
    },
  },
  {
    name: "settle(): a receipt that was too old stays so where the limit gets a longer policy",
    async run(make) {
      const clock = new ManualClock(START_MS)
      const limits = await make({ clock, limits: { api: "30/minute" } })
      const { receipt } = await limits.check("a", { limit: "api" })
      clock.advance(64 * 60_000)
      await limits.define("api", "100/hour")
      await limits.settle(receipt!, 5)
      has(await limits.peek("a", { limit: "api", cost: 0 }), { remaining: 100 })
    },
  },
  {
    name: "refund() and settle(): refuse what they cannot do, and leave the receipt open",
    async run(make) {
      const limits = await make({ clock: new ManualClock(START_MS), limits: { api: "9/hour" } })
      const { receipt } = await limits.check("a", { limit: "api", cost: 4 })
      for (const units of [-1, 5, 0.5, Number.NaN]) {
        await throws(() => limits.refund(receipt!, units), { name: "RangeError" })
      }
      for (const cost of [-1, 0.5, 2 ** 31 + 1])
        await throws(() => limits.settle(receipt!, cost), { name: "RangeError" })
      await throws(() => limits.refund({ ...receipt!, id: "other-1" }), { name: "RangeError" })
      await limits.refund(receipt!)
      has(await limits.peek("a", { limit: "api", cost: 0 }), { remaining: 9 })
    },
  },
  {
    name: "refund(): under a policy that changed, the receipt is still good",
    async run(make) {
      const limits = await make({ clock: new ManualClock(START_MS), limits: { api: "9/hour" } })
      const { receipt } = await limits.check("a", { limit: "api", cost: 4 })
      await limits.define("api", "18/hour")
      await limits.refund(receipt!)
      has(await limits.peek("a", { limit: "api", cost: 0 }), { limit: 18, remaining: 18 })
    },
  },
  {
    name: "refund(): the receipt of a limit that was removed gives nothing to the one that took its name",
    async run(make) {
      const limits = await make({ clock: new ManualClock(START_MS), limits: { api: "9/hour" } })
      const { receipt } = await limits.check("a", { limit: "api", cost: 4 })
      await limits.remove("api")
      await limits.define("api", "9/hour")
      await limits.check("a", { limit: "api", cost: 6 })
      await limits.refund(receipt!)
      has(await limits.peek("a", { limit: "api", cost: 0 }), { remaining: 3 })
    },
  },
]
