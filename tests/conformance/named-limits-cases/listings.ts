import { ManualClock } from "../../../src/types/clock.js"
import { has, same, throws } from "../assert.js"
import { START_MS } from "../limiter-case.js"
import type { NamedLimitsCase } from "../named-limits-case.js"

const COUNT = "allowed is a whole number from 0 to 9007199254740991, or Infinity"

export const listingCases: readonly NamedLimitsCase[] = [
  {
    name: "list(): a key that was only reset is listed",
    async run(make) {
      const limits = await make({ clock: new ManualClock(START_MS), limits: { api: "5/minute" } })
      const choice = { limit: "api" }
      await limits.check("a", choice)
      await limits.reset("b", choice)
      same(await limits.list(choice), ["a", "b"])
    },
  },
  {
    name: "list(): the keys that were used, in order, a page at a time",
    async run(make) {
      const limits = await make({ clock: new ManualClock(START_MS), limits: { api: "5/minute", default: "5/minute" } })
      for (const key of ["c", "a", "b"]) await limits.check(key, { limit: "api" })
      await limits.check("d")
      await limits.check("a")
      same(await limits.list({ limit: "api" }), ["a", "b", "c"])
      same(await limits.list({ limit: "default" }), ["a", "d"])
      same(await limits.list(), ["a", "b", "c", "d"], "the keys under any limit")
      same(await limits.list({ limit: "api", after: "a", count: 1 }), ["b"], "a page")
      same(await limits.list({ limit: "api", after: "c" }), [], "the page after the last")
    },
  },
  {
    name: "list() and limits(): a page that cannot be is refused",
    async run(make) {
      const limits = await make({ clock: new ManualClock(START_MS), limits: { api: "5/minute" } })
      for (const [page, message] of [
        [{ after: 5 }, "Cannot tell entries: after is 5, allowed is a text."],
        [{ after: null }, "Cannot tell entries: after is null, allowed is a text."],
        [{ after: ["a"] }, 'Cannot tell entries: after is ["a"], allowed is a text.'],
        [{ count: -1 }, `Cannot tell entries: count is -1, ${COUNT}.`],
        [{ count: Number.NEGATIVE_INFINITY }, `Cannot tell entries: count is -Infinity, ${COUNT}.`],
      ] as const) {
        await throws(() => limits.list(page as never), { name: "RangeError", message })
        await throws(() => limits.limits(page as never), { name: "RangeError", message })
      }
    },
  },
  {
    name: "list() and limits(): all where count is Infinity",
    async run(make) {
      const limits = await make({ clock: new ManualClock(START_MS), limits: { api: "5/minute", org: "5/minute" } })
      for (const key of ["a", "b"]) await limits.check(key, { limit: "api" })
      const page = { count: Number.POSITIVE_INFINITY }
      same(await limits.list(page), ["a", "b"], "the keys")
      const names = (await limits.limits({ ...page, after: "api" })).map(({ name }) => name)
      same(names, ["org"], "the limits")
    },
  },
  {
    name: "list() and limits(): in the order of code points, whatever a text is made of",
    async run(make) {
      const [wide, face] = ["\uff21", "\u{1f600}"]
      const limits = await make({
        clock: new ManualClock(START_MS),
        limits: { [face]: "5/minute", [wide]: "5/minute" },
      })
      for (const key of [face, wide, `${wide}a`]) await limits.check(key, { limit: wide })
      same(await limits.list(), [wide, `${wide}a`, face], "the keys")
      same(await limits.list({ after: `${wide}a` }), [face], "the keys of a page")
      const names = (found: readonly { name: string }[]) => found.map(({ name }) => name)
      same(names(await limits.limits()), [wide, face], "the limits")
      same(names(await limits.limits({ after: wide })), [face], "the limits of a page")
      same(names(await limits.limits({ after: face })), [], "the limits of the page after the last")
    },
  },
  {
    name: "top(): the keys that were denied or allowed most",
    async run(make) {
      const limits = await make({ clock: new ManualClock(START_MS), limits: { api: "3/minute", default: "9/minute" } })
      for (const [key, count] of [
        ["a", 4],
        ["b", 7],
        ["c", 2],
      ] as const) {
        for (let index = 0; index < count; index++) await limits.check(key, { limit: "api" })
      }
      for (let index = 0; index < 6; index++) await limits.check("d")
      const names = (entries: readonly { key: string }[]) => entries.map(({ key }) => key)
      const denied = await limits.top({ by: "denied", limit: "api" })
      same(names(denied), ["b", "a"], "who was denied")
      has(denied[0]!, { key: "b", limit: "api" })
      has(denied[0]!.stats, { totalDenied: 4, totalAllowed: 3 })
      same(names(await limits.top({ by: "denied", limit: "api", count: 1 })), ["b"], "the first one")
      same(names(await limits.top({ by: "allowed" })).at(0), "d", "who was allowed most under any limit")
    },
  },
  {
    name: "list(): a limit that there is not is an error, also where no names are wanted",
    async run(make) {
      const limits = await make({ clock: new ManualClock(START_MS), limits: { api: "3/minute" } })
      await limits.check("a", { limit: "api" })
      same(await limits.list({ limit: "api", count: 0 }), [], "no names")
      await throws(() => limits.list({ limit: "nope", count: 0 }), { name: "LimitNotFound", limit: "nope" })
    },
  },
  {
    name: "top(): a key under limits where it counts as much comes in the order of their names",
    async run(make) {
      for (const names of [
        ["a", "b"],
        ["b", "a"],
      ]) {
        const limits = await make({
          clock: new ManualClock(START_MS),
          limits: Object.fromEntries(names.map((name) => [name, "3/minute"])),
        })
        for (const limit of names) await limits.check("k", { limit })
        const top = await limits.top({ by: "allowed" })
        same(
          top.map(({ limit }) => limit),
          ["a", "b"],
          "the limits",
        )
        same((await limits.top({ by: "allowed", count: 1 })).at(0)?.limit, "a", "the first one")
      }
    },
  },
  {
    name: "top(): ten keys where no count is given",
    async run(make) {
      const limits = await make({ clock: new ManualClock(START_MS), limits: { api: "3/minute" } })
      const keys = "abcdefghijkl".split("")
      for (const key of keys) await limits.check(key, { limit: "api" })
      const top = await limits.top({ by: "allowed", limit: "api" })
      same(
        top.map(({ key }) => key),
        keys.slice(0, 10),
      )
    },
  },
]
