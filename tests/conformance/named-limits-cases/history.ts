import type { HistoryEntry } from "../../../src/limiter/named-limits.js"
import { ManualClock } from "../../../src/types/clock.js"
import { isTrue, same, throws } from "../assert.js"
import { START_MS } from "../limiter-case.js"
import type { NamedLimitsCase } from "../named-limits-case.js"

/** An entry as it is compared: its time since the start. */
const told = ({ event, units, count, atMs }: HistoryEntry) => [event, units, count, atMs - START_MS]

export const historyCases: readonly NamedLimitsCase[] = [
  {
    name: "history(): what is no key is an error, though its limit is there",
    async run(make) {
      const limits = await make({ clock: new ManualClock(START_MS), limits: { api: "5/minute" } })
      await throws(() => limits.history("", { limit: "api" }), { name: "KeyError" })
    },
  },
  {
    name: "history(): a key's events under one limit, newest first",
    async run(make) {
      const clock = new ManualClock(START_MS)
      const limits = await make({ clock, limits: { api: "5/minute", default: "5/minute" } })
      const choice = { limit: "api" }
      const { receipt } = await limits.check("a", { ...choice, cost: 5 })
      await limits.check("b", choice)
      await limits.check("a")
      clock.advance(10)
      for (let index = 0; index < 3; index++) await limits.check("a", { ...choice, cost: 2 })
      clock.advance(10)
      await limits.refund(receipt!, 4)
      await limits.charge("a", 3, choice)
      await limits.block("a", "1m", choice)
      await limits.unblock("a", choice)
      await limits.reset("a", choice)
      const events = (await limits.history("a", choice)).filter(({ event }) => event !== "define")
      same(events.map(told), [
        ["reset", 0, 1, 20],
        ["unblock", 0, 1, 20],
        ["block", 0, 1, 20],
        ["charge", 3, 1, 20],
        ["refund", 4, 1, 20],
        ["deny", 2, 3, 10],
        ["admit", 5, 1, 0],
      ])
      isTrue(
        events.every(({ key, limit }) => key === "a" && limit === "api"),
        "the key and limit of each",
      )
      same(
        (await limits.history("a", { ...choice, count: 2 })).map(({ event }) => event),
        ["reset", "unblock"],
      )
    },
  },
  {
    name: "history(): equal denials are one entry where nothing else of the key, nor its limit's definition, came between",
    async run(make) {
      const clock = new ManualClock(START_MS)
      const limits = await make({ clock, limits: { api: "1/minute" } })
      const choice = { limit: "api" }
      const deny = async (key: string, cost = 1) => {
        clock.advance(1)
        await limits.check(key, { ...choice, cost })
      }
      await limits.block("a", "1h", choice)
      await deny("a")
      await limits.define("api", "5/minute")
      await deny("a")
      await limits.block("b", "1h", choice)
      await deny("b")
      await deny("a")
      // No other policy, so no definition.
      await limits.define("api", "5/minute")
      await deny("a")
      await deny("a", 2)
      await deny("a")
      const entries = [
        ["deny", 1, 1, 7],
        ["deny", 2, 1, 6],
        ["deny", 1, 3, 5],
        ["define", 0, 1, 1],
        ["deny", 1, 1, 1],
        ["block", 0, 1, 0],
        ["define", 0, 1, 0],
      ]
      for (const count of [3, 5, 7, 100]) {
        const events = await limits.history("a", { ...choice, count })
        same(events.map(told), entries.slice(0, count), `the last ${count}`)
      }
    },
  },
  {
    name: "history(): peek(), cost 0 and status() leave no trace",
    async run(make) {
      const limits = await make({ clock: new ManualClock(START_MS), limits: { api: "5/minute" } })
      await limits.peek("a", { limit: "api" })
      await limits.check("a", { limit: "api", cost: 0 })
      await limits.status("a", { limit: "api" })
      const events = (await limits.history("a", { limit: "api" })).filter(({ event }) => event !== "define")
      same(events, [])
    },
  },
  {
    name: "history(): settle() for more is a charge, for less a refund, for the same nothing",
    async run(make) {
      const limits = await make({ clock: new ManualClock(START_MS), limits: { api: "9/minute" } })
      for (const actual of [4, 2, 3]) {
        const { receipt } = await limits.check("a", { limit: "api", cost: 3 })
        await limits.settle(receipt!, actual)
      }
      const events = (await limits.history("a", { limit: "api" })).filter(({ event }) => event !== "define")
      same(
        events.map(({ event, units }) => [event, units]),
        [
          ["admit", 3],
          ["refund", 1],
          ["admit", 3],
          ["charge", 1],
          ["admit", 3],
        ],
      )
    },
  },
  {
    name: "history(): a refund of nothing leaves no trace, a reset of nothing does, as in the statistics",
    async run(make) {
      const limits = await make({ clock: new ManualClock(START_MS), limits: { api: "5/minute" } })
      const choice = { limit: "api" }
      const eventsOf = async (key: string) => (await limits.history(key, choice)).map(({ event }) => event)
      const { receipt } = await limits.check("a", choice)
      await limits.refund(receipt!, 0)
      same(await eventsOf("a"), ["admit", "define"])
      same(await limits.reset("b", choice), false, "whether there was anything to forget")
      same(await eventsOf("b"), ["reset", "define"])
      isTrue((await limits.stats("b", choice)).lastResetAt !== null, "the reset is in the statistics")
    },
  },
  {
    name: "history(): unblock() of a key that is not blocked, or not any more, leaves no trace",
    async run(make) {
      const clock = new ManualClock(START_MS)
      const limits = await make({ clock, limits: { api: "5/minute" } })
      const choice = { limit: "api" }
      const eventsOf = async (key: string) => (await limits.history(key, choice)).map(({ event }) => event)
      same(await limits.unblock("a", choice), false, "unblock() of a key that is not blocked")
      await limits.block("a", "1s", choice)
      clock.advance(1_000)
      for (let again = 0; again < 2; again++) {
        same(await limits.unblock("a", choice), false, "unblock() when the block has ended")
        same(await eventsOf("a"), ["block", "define"])
      }
      await limits.block("a", "1s", choice)
      same(await limits.unblock("a", choice), true, "unblock() in a block")
      same(await eventsOf("a"), ["unblock", "block", "block", "define"])
    },
  },
  {
    name: "history(): a receipt that was settled before leaves no further trace",
    async run(make) {
      const limits = await make({ clock: new ManualClock(START_MS), limits: { api: "5/minute" } })
      const { receipt } = await limits.check("a", { limit: "api", cost: 3 })
      await limits.refund(receipt!, 2)
      await limits.refund(receipt!, 2)
      await limits.settle(receipt!, 1)
      await limits.settle(receipt!, 5)
      same(
        (await limits.history("a", { limit: "api" })).map(({ event, units }) => [event, units]),
        [
          ["refund", 2],
          ["admit", 3],
          ["define", 0],
        ],
      )
    },
  },
]
