import { ManualClock } from "../../../src/types/clock.js"
import { has, isTrue, same, throws } from "../assert.js"
import { badSize, keysOf, TWICE } from "../bad-group.js"
import { START_MS } from "../limiter-case.js"
import type { NamedLimitsCase } from "../named-limits-case.js"

export const checkAllCases: readonly NamedLimitsCase[] = [
  {
    name: "checkAll(): charges all where all admit, each with a receipt",
    async run(make) {
      const limits = await make({ clock: new ManualClock(START_MS), limits: { user: "5/minute", org: "50/minute" } })
      const all = await limits.checkAll([
        { key: "u", limit: "user", cost: 2 },
        { key: "o", limit: "org", cost: 2 },
        { key: "o2", limit: "org" },
      ])
      has(all, { allowed: true, deniedKey: null, deniedPolicy: null })
      same(
        all.decisions.map(({ key, remaining, cost }) => [key, remaining, cost]),
        [
          ["u", 3, 2],
          ["o", 48, 2],
          ["o2", 49, 1],
        ],
      )
      isTrue(
        all.decisions.every(({ receipt }) => receipt !== undefined),
        "a receipt of each",
      )
      await limits.refund(all.decisions[1]!.receipt!)
      has(await limits.peek("o", { limit: "org", cost: 0 }), { remaining: 50 }, "what was refunded")
    },
  },
  {
    name: "checkAll(): charges nothing where one denies, wherever it stands",
    async run(make) {
      const limits = await make({
        clock: new ManualClock(START_MS),
        limits: { user: "5/minute as u", org: "50/minute as o", default: "9/minute" },
      })
      await limits.check("o", { limit: "org", cost: 50 })
      const items = [{ key: "u", limit: "user" }, { key: "o", limit: "org" }, { key: "x" }]
      for (const order of [items, items.toReversed(), [items[1]!, items[0]!]]) {
        const all = await limits.checkAll(order)
        has(all, { allowed: false, deniedKey: "o", deniedPolicy: "o" })
        same(
          all.decisions.map(({ allowed }) => allowed),
          order.map(({ key }) => key !== "o"),
          "who would admit",
        )
        isTrue(
          all.decisions.every(({ receipt }) => receipt === undefined),
          "no receipt",
        )
      }
      has(await limits.peek("u", { limit: "user", cost: 0 }), { remaining: 5, resetAfterMs: 0 }, "the user")
      has(await limits.peek("x", { cost: 0 }), { remaining: 9, resetAfterMs: 0 }, "the third")
      has(await limits.stats("u", { limit: "user" }), { totalAllowed: 0, totalDenied: 0 }, "statistics of who admits")
      has(await limits.stats("o", { limit: "org" }), { totalAllowed: 1, totalDenied: 3 }, "statistics of who denies")
    },
  },
  {
    name: "allowAll(): checkAll(), but only whether",
    async run(make) {
      const limits = await make({ clock: new ManualClock(START_MS), limits: { user: "2/minute", org: "1/minute" } })
      const items = [
        { key: "u", limit: "user" },
        { key: "o", limit: "org" },
      ]
      same([await limits.allowAll(items), await limits.allowAll(items)], [true, false], "the answers")
      has(await limits.peek("u", { limit: "user", cost: 0 }), { remaining: 1 }, "the key that would have passed")
    },
  },
  {
    name: "checkAll(): tells the first of several that deny, and each one's own decision",
    async run(make) {
      const clock = new ManualClock(START_MS)
      const limits = await make({ clock, limits: { a: "1/minute as a", b: "1/hour as b" } })
      await limits.check("k", { limit: "a" })
      await limits.check("k", { limit: "b" })
      const all = await limits.checkAll([
        { key: "k", limit: "b" },
        { key: "k", limit: "a" },
      ])
      has(all, { allowed: false, deniedKey: "k", deniedPolicy: "b" })
      same(
        all.decisions.map(({ policy, retryAfterMs }) => [policy, retryAfterMs]),
        [
          ["b", 3_600_000],
          ["a", 60_000],
        ],
      )
    },
  },
  {
    name: "checkAll(): a denial starts the block of the policy that denied",
    async run(make) {
      const clock = new ManualClock(START_MS)
      const limits = await make({ clock, limits: { a: { limit: 1, period: "1s", block: "1m" }, b: "5/minute" } })
      await limits.check("k", { limit: "a" })
      same(
        (
          await limits.checkAll([
            { key: "k", limit: "a" },
            { key: "k", limit: "b" },
          ])
        ).allowed,
        false,
      )
      clock.advance(2_000)
      has(await limits.check("k", { limit: "a" }), { allowed: false, reason: "blocked", retryAfterMs: 58_000 })
    },
  },
  {
    name: "checkAll(): the same key and limit twice, no item, or over 1,000, is an error, and nothing is charged",
    async run(make) {
      const limits = await make({ clock: new ManualClock(START_MS), limits: { default: "5/minute", own: "5/minute" } })
      await throws(() => limits.checkAll([]), badSize(0))
      await throws(() => limits.checkAll(keysOf(1_001)), badSize(1_001))
      await throws(() => limits.checkAll([{ key: "a" }, { key: "a" }]), TWICE)
      await throws(() => limits.checkAll([{ key: "a" }, { key: "a", limit: "default" }]), TWICE)
      await throws(() => limits.checkAll([{ key: "own" }, { key: "own", limit: "own" }]), { name: "RangeError" })
      await throws(() => limits.checkAll([{ key: "a" }, { key: "b", cost: 6 }]), {
        name: "CostError",
        key: "b",
        maximum: 5,
      })
      await throws(() => limits.checkAll([{ key: "a" }, { key: "b", cost: -1 }]), { name: "RangeError" })
      await throws(() => limits.checkAll([{ key: "a" }, { key: "" }]), { name: "KeyError" })
      has(await limits.peek("a", { cost: 0 }), { remaining: 5, resetAfterMs: 0 }, "the first item's key")
      same((await limits.checkAll([{ key: "own" }, { key: "own", limit: "default" }])).allowed, true, "two limits")
    },
  },
  {
    name: "checkAll(): of several items that cannot be decided, the error is that of the first",
    async run(make) {
      const limits = await make({ clock: new ManualClock(START_MS), limits: { default: "2/minute" } })
      await limits.check("k", { cost: 2, id: "x" })
      const costsTooMuch = { key: "z", cost: 3 }
      const hadAnotherCost = { key: "k", cost: 1, id: "x" }
      await throws(() => limits.checkAll([costsTooMuch, hadAnotherCost]), { name: "CostError", key: "z" })
      await throws(() => limits.checkAll([hadAnotherCost, costsTooMuch]), { name: "RangeError" })
    },
  },
  {
    name: "checkAll(): cost 0 asks and charges nothing",
    async run(make) {
      const limits = await make({ clock: new ManualClock(START_MS), limits: { default: "2/minute" } })
      const all = await limits.checkAll([{ key: "a", cost: 0 }, { key: "b" }])
      same(
        all.decisions.map(({ remaining, receipt }) => [remaining, receipt === undefined]),
        [
          [2, true],
          [1, false],
        ],
      )
    },
  },
]
