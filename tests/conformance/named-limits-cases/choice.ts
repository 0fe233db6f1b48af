import { ManualClock } from "../../../src/types/clock.js"
import { has, same, throws } from "../assert.js"
import { START_MS } from "../limiter-case.js"
import type { NamedLimitsCase } from "../named-limits-case.js"

export const choiceCases: readonly NamedLimitsCase[] = [
  {
    name: "check(): a named limit has a count for each key, apart from every other limit's",
    async run(make) {
      const limits = await make({ clock: new ManualClock(START_MS), limits: { api: "3/minute", login: "2/minute" } })
      has(await limits.check("a", { limit: "api", cost: 2 }), { allowed: true, key: "a", limit: 3, remaining: 1 })
      has(await limits.check("a", { limit: "login" }), { allowed: true, limit: 2, remaining: 1 }, "the other limit")
      has(await limits.check("b", { limit: "api" }), { allowed: true, remaining: 2 }, "the other key")
      has(await limits.check("a", { limit: "api", cost: 2 }), { allowed: false, remaining: 1, reason: "limit" })
      same(await limits.allow("a", { limit: "api" }), true, "allow()")
      same(await limits.allow("a", { limit: "api" }), false, "allow() of one more")
    },
  },
  {
    name: "check(): without a limit's name the key's own limit decides, else the default one",
    async run(make) {
      const limits = await make({ clock: new ManualClock(START_MS), limits: { default: "3/minute", vip: "9/minute" } })
      has(await limits.check("a"), { limit: 3, remaining: 2 }, "the default limit")
      has(await limits.check("vip"), { limit: 9, remaining: 8 }, "the key's own limit")
      has(await limits.check("vip", { limit: "default" }), { limit: 3, remaining: 2 }, "the default limit by name")
      has(await limits.check("a", { limit: "vip" }), { limit: 9, remaining: 8 }, "another key under the limit")
      has(await limits.check("vip"), { remaining: 7 }, "the key's own limit again")
    },
  },
  {
    name: "every verb: LimitNotFound where nobody defined the limit, and there is no default",
    async run(make) {
      const limits = await make({ clock: new ManualClock(START_MS), limits: { api: "3/minute" } })
      const named = { name: "LimitNotFound", code: "LIMIT_NOT_FOUND", limit: "apo" }
      const own = { ...named, limit: "a" }
      const choice = { limit: "apo" }
      await throws(() => limits.check("a", choice), named)
      await throws(() => limits.check("a"), own)
      await throws(() => limits.allow("a", choice), named)
      await throws(() => limits.peek("a", choice), named)
      await throws(
        () =>
          limits.checkAll([
            { key: "a", limit: "api" },
            { key: "a", limit: "apo" },
          ]),
        named,
      )
      await throws(() => limits.charge("a", 1, choice), named)
      await throws(() => limits.block("a", "1s", choice), named)
      await throws(() => limits.unblock("a", choice), named)
      await throws(() => limits.reset("a", choice), named)
      await throws(() => limits.status("a", choice), named)
      await throws(() => limits.stats("a", choice), named)
      await throws(() => limits.explain("a", choice), named)
      await throws(() => limits.history("a", choice), named)
      await throws(() => limits.list(choice), named)
      await throws(() => limits.top({ by: "denied", limit: "apo" }), named)
      has(await limits.peek("a", { limit: "api" }), { remaining: 3 }, "the limit that there is")
    },
  },
  {
    name: "check(): limits and keys of any name are apart",
    async run(make) {
      const names = ["__proto__", "constructor", "a", "a\n", "a:b", "a b", "👩‍👩‍👧", "0", "1:a"]
      const limits = await make({ clock: new ManualClock(START_MS), limits: {} })
      for (const name of names) await limits.define(name, "100/minute")
      for (const [index, limit] of names.entries()) {
        for (const key of names) has(await limits.check(key, { limit, cost: index + 1 }), { remaining: 99 - index })
      }
      for (const [index, name] of names.entries()) has(await limits.peek(name, { cost: 0 }), { remaining: 99 - index })
    },
  },
]
