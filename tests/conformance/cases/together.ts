import { ManualClock } from "../../../src/types/clock.js"
import { has, isTrue, same, throws } from "../assert.js"
import { badSize, keysOf, TWICE } from "../bad-group.js"
import { type LimiterCase, START_MS } from "../limiter-case.js"

export const togetherCases: readonly LimiterCase[] = [
  {
    name: "checkAll(): charges every key where all admit, each with a receipt",
    needs: ["together"],
    async run(make) {
      const limiter = await make("5/minute", { clock: new ManualClock(START_MS) })
      const all = await limiter.checkAll!([{ key: "a", cost: 2 }, { key: "b" }])
      has(all, { allowed: true, deniedKey: null, deniedPolicy: null }, "the answer")
      same(
        all.decisions.map(({ key, remaining }) => [key, remaining]),
        [
          ["a", 3],
          ["b", 4],
        ],
        "the decisions",
      )
      await limiter.refund(all.decisions[0]!.receipt!)
      has(await limiter.peek("a", { cost: 0 }), { remaining: 5 }, "the key that was refunded")
    },
  },
  {
    name: "checkAll(): charges none where one denies",
    needs: ["together"],
    async run(make) {
      const limiter = await make("5/minute as p", { clock: new ManualClock(START_MS) })
      await limiter.check("b", { cost: 5 })
      for (const keys of [
        ["a", "b", "c"],
        ["b", "a", "c"],
        ["a", "c", "b"],
      ]) {
        const all = await limiter.checkAll!(keys.map((key) => ({ key })))
        has(all, { allowed: false, deniedKey: "b", deniedPolicy: "p" }, "the answer")
        isTrue(
          all.decisions.every(({ receipt }) => receipt === undefined),
          "no receipt",
        )
      }
      has(await limiter.peek("a", { cost: 0 }), { remaining: 5, resetAfterMs: 0 }, "the key before it")
      has(await limiter.peek("c", { cost: 0 }), { remaining: 5, resetAfterMs: 0 }, "the key after it")
    },
  },
  {
    name: "allowAll(): checkAll(), but only whether",
    needs: ["together"],
    async run(make) {
      const limiter = await make("1/minute", { clock: new ManualClock(START_MS) })
      same(await limiter.allowAll!([{ key: "a" }, { key: "b" }]), true, "both")
      same(await limiter.allowAll!([{ key: "b" }, { key: "c" }]), false, "one that was charged, and another")
      has(await limiter.peek("c", { cost: 0 }), { remaining: 1 }, "the other")
    },
  },
  {
    name: "checkAll(): an item may name the limiter's own limit, and no other",
    needs: ["together"],
    async run(make) {
      const limiter = await make("5/minute as default", { clock: new ManualClock(START_MS) })
      const all = await limiter.checkAll!([{ key: "a", limit: "default" }, { key: "b" }])
      has(all, { allowed: true }, "the answer")
      await throws(() => limiter.checkAll!([{ key: "a" }, { key: "c", limit: "defualt" }]), {
        name: "LimitNotFound",
        message: 'Cannot find the limit "defualt": this limiter has one limit, "default".',
      })
      has(await limiter.peek("a", { cost: 0 }), { remaining: 4 }, "the first key")
    },
  },
  {
    name: "checkAll(): no item, over 1,000, a key twice and bad costs are errors, and nothing is charged",
    needs: ["together"],
    async run(make) {
      const limiter = await make("5/minute", { clock: new ManualClock(START_MS) })
      await throws(() => limiter.checkAll!([]), badSize(0))
      await throws(() => limiter.checkAll!(keysOf(1_001)), badSize(1_001))
      await throws(() => limiter.checkAll!([{ key: "a" }, { key: "a" }]), TWICE)
      await throws(() => limiter.checkAll!([{ key: "a" }, { key: "b", cost: 6 }]), { name: "CostError", maximum: 5 })
      await throws(() => limiter.checkAll!([{ key: "a" }, { key: "b", cost: 0.5 }]), { name: "RangeError" })
      await throws(() => limiter.checkAll!([{ key: "a" }, { key: "" }]), { name: "KeyError" })
      has(await limiter.peek("a", { cost: 0 }), { remaining: 5 }, "the first key")
    },
  },
  {
    name: "checkAll() with ids: what was admitted under them is told again, and stays where another key denies",
    needs: ["together", "ids"],
    async run(make) {
      const limiter = await make("5/minute as p", { clock: new ManualClock(START_MS) })
      const items = ["a", "b"].map((key) => ({ key, cost: 3, id: "x" }))
      const first = await limiter.checkAll!(items)
      const again = await limiter.checkAll!(items)
      has(again, { allowed: true }, "the answer told again")
      same(
        again.decisions.map(({ receipt, remaining }) => [receipt, remaining]),
        first.decisions.map(({ receipt }) => [receipt, 2]),
        "its decisions",
      )
      await limiter.refund(first.decisions[1]!.receipt!)
      await limiter.charge("b", 3)
      const denied = await limiter.checkAll!([...items, { key: "c" }])
      has(denied, { allowed: false, deniedKey: "b" }, "the answer that denies")
      isTrue(
        denied.decisions.every(({ receipt }) => receipt === undefined),
        "no receipt",
      )
      has(await limiter.peek("a", { cost: 0 }), { remaining: 2 }, "the key that was admitted before")
      has(await limiter.peek("c", { cost: 0 }), { remaining: 5 }, "the key without an id")
      await throws(() => limiter.checkAll!([{ key: "c" }, { key: "a", cost: 4, id: "x" }]), { name: "RangeError" })
      await throws(() => limiter.checkAll!([{ key: "c" }, { key: "d", id: "" }]), { name: "RangeError" })
      has(await limiter.peek("c", { cost: 0 }), { remaining: 5 }, "the key beside an error")
    },
  },
  {
    name: "checkAll() with an id of the call: it is that of each item that has none, and the call charges once",
    needs: ["together", "ids"],
    async run(make) {
      const limiter = await make("5/minute", { clock: new ManualClock(START_MS) })
      const items = [
        { key: "a", cost: 3 },
        { key: "b", id: "own" },
      ]
      const first = await limiter.checkAll!(items, { id: "x" })
      const again = await limiter.checkAll!(items, { id: "x" })
      same(
        again.decisions.map(({ receipt, remaining }) => [receipt, remaining]),
        first.decisions.map(({ receipt }, index) => [receipt, [2, 4][index]]),
        "the decisions told again",
      )
      same(await limiter.allowAll!(items, { id: "x" }), true, "allowAll()")
      const receipts = [
        (await limiter.check("a", { cost: 3, id: "x" })).receipt,
        (await limiter.check("b", { id: "own" })).receipt,
      ]
      same(
        receipts,
        first.decisions.map(({ receipt }) => receipt),
        "what a check under the same id is told",
      )
      has(await limiter.peek("a", { cost: 0 }), { remaining: 2 }, "the item without an id")
      has(await limiter.peek("b", { cost: 0 }), { remaining: 4 }, "the item with its own")
      same((await limiter.checkAll!(items, {})).allowed, false, "without an id")
    },
  },
  {
    name: "checkAll() with an id of the call that cannot be, or what it has not, is a RangeError, and charges nothing",
    needs: ["together", "ids"],
    async run(make) {
      const limiter = await make("5/minute", { clock: new ManualClock(START_MS) })
      for (const options of [
        { id: "" },
        { id: "é" },
        { id: 5 },
        { id: null },
        { ids: "x" },
        { limit: "a" },
        "x",
        null,
      ]) {
        for (const items of [[{ key: "a" }], [{ key: "a", id: "own" }]]) {
          await throws(() => limiter.checkAll!(items, options as never), { name: "RangeError" })
          await throws(() => limiter.allowAll!(items, options as never), { name: "RangeError" })
        }
      }
      has(await limiter.peek("a", { cost: 0 }), { remaining: 5 }, "the key")
    },
  },
]
