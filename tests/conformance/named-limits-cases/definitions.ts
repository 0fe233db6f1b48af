import { ManualClock } from "../../../src/types/clock.js"
import { has, same, throws } from "../assert.js"
import { START_MS } from "../limiter-case.js"
import type { NamedLimitsCase } from "../named-limits-case.js"

export const definitionCases: readonly NamedLimitsCase[] = [
  {
    name: "limits(): tells all, in the order of their names, a page at a time",
    async run(make) {
      const limits = await make({ clock: new ManualClock(START_MS), limits: { b: "2/minute", a: "1/minute" } })
      has(await limits.define("c", "3/minute"), { name: "c" }, "what define() returns")
      const all = await limits.limits()
      same(
        all.map(({ name }) => name),
        ["a", "b", "c"],
        "the names",
      )
      same(
        all.map(({ policy }) => policy.rules[0].limit),
        [1, 2, 3],
        "the policies",
      )
      const page = await limits.limits({ after: "a", count: 1 })
      same(
        page.map(({ name }) => name),
        ["b"],
        "a page",
      )
      same((await limits.limits({ after: "c" })).length, 0, "the length of the page after the last")
    },
  },
  {
    name: "limit(): tells one, and null where there is none",
    async run(make) {
      const limits = await make({ clock: new ManualClock(START_MS), limits: { a: "1/minute as one" } })
      const found = await limits.limit("a")
      same(found?.name, "a")
      same(found?.policy.name, "one")
      same(found?.policy.canonical, '[{"name":"one","algorithm":"gcra","limit":1,"period":60000}]')
      same(await limits.limit("b"), null)
    },
  },
  {
    name: "define(): another policy takes what was used along, capped at the new capacity",
    async run(make) {
      const limits = await make({ clock: new ManualClock(START_MS), limits: { api: "10/hour" } })
      await limits.check("a", { limit: "api", cost: 8 })
      await limits.check("b", { limit: "api", cost: 2 })
      await limits.define("api", "100/hour")
      has(await limits.peek("a", { limit: "api", cost: 0 }), { limit: 100, remaining: 92 }, "an upgrade")
      await limits.define("api", "5/hour")
      has(await limits.peek("a", { limit: "api", cost: 0 }), { limit: 5, remaining: 0 }, "a downgrade of what was used")
      has(await limits.peek("b", { limit: "api", cost: 0 }), { limit: 5, remaining: 3 }, "a downgrade of less")
      await limits.define("api", "5/hour")
      has(await limits.peek("b", { limit: "api", cost: 0 }), { remaining: 3 }, "the same policy again")
    },
  },
  {
    name: "define(): a key gets a limit of its own in place of the default one",
    async run(make) {
      const limits = await make({ clock: new ManualClock(START_MS), limits: { default: "2/minute" } })
      await limits.check("a", { cost: 2 })
      await limits.define("a", "5/minute")
      has(await limits.check("a"), { allowed: true, limit: 5, remaining: 4 }, "under the own limit")
      has(await limits.check("b"), { limit: 2, remaining: 1 }, "another key")
      same(await limits.remove("a"), true, "remove()")
      has(await limits.peek("a", { cost: 0 }), { limit: 2, remaining: 0 }, "under the default limit again")
    },
  },
  {
    name: "remove(): forgets the limit and all its counts, and tells whether there was one",
    async run(make) {
      const limits = await make({ clock: new ManualClock(START_MS), limits: { api: "2/minute", other: "2/minute" } })
      await limits.check("a", { limit: "api", cost: 2 })
      await limits.check("a", { limit: "other" })
      same(await limits.remove("api"), true)
      same(await limits.remove("api"), false, "remove() again")
      same(await limits.limit("api"), null, "the limit")
      await throws(() => limits.check("a", { limit: "api" }), { name: "LimitNotFound" })
      await limits.define("api", "2/minute")
      has(await limits.peek("a", { limit: "api", cost: 0 }), { remaining: 2 }, "the key under the new limit")
      has(await limits.stats("a", { limit: "api" }), { totalAllowed: 0 }, "its statistics")
      has(await limits.peek("a", { limit: "other", cost: 0 }), { remaining: 1 }, "the key under the other limit")
    },
  },
  {
    name: "define(), remove() and limit() of a name that is no text are a KeyError, and change nothing",
    async run(make) {
      const limits = await make({ clock: new ManualClock(START_MS), limits: { 5: "2/minute", null: "2/minute" } })
      for (const name of [5, null, undefined, {}, ["5"]]) {
        const error = { name: "KeyError", code: "KEY_INVALID" }
        await throws(() => limits.define(name as never, "1/minute"), error)
        await throws(() => limits.remove(name as never), error)
        await throws(() => limits.limit(name as never), error)
      }
      same((await limits.limits()).length, 2, "how many limits there are")
    },
  },
  {
    name: "define(): what is not valid changes nothing",
    async run(make) {
      const limits = await make({ clock: new ManualClock(START_MS), limits: { api: "2/minute" } })
      await limits.check("a", { limit: "api" })
      await throws(() => limits.define("api", "0/minute"), {
        name: "PolicyError",
        code: "POLICY_INVALID",
        field: "limit",
      })
      await throws(() => limits.define("", "1/minute"), { name: "KeyError", code: "KEY_INVALID" })
      await throws(() => limits.define("x".repeat(513), "1/minute"), { name: "KeyError" })
      same((await limits.limits()).length, 1, "how many limits there are")
      has(await limits.peek("a", { limit: "api", cost: 0 }), { limit: 2, remaining: 1 }, "the key")
    },
  },
]
