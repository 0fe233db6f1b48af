import { ManualClock } from "../../../src/types/clock.js"
import { has, same, throws } from "../assert.js"
import { START_MS } from "../limiter-case.js"
import type { NamedLimitsCase } from "../named-limits-case.js"

export const keyCases: readonly NamedLimitsCase[] = [
  {
    name: "check(): a cost that cannot be is an error, and changes nothing",
    async run(make) {
      const limits = await make({ clock: new ManualClock(START_MS), limits: { api: "3/minute" } })
      const choice = { limit: "api" }
      await throws(() => limits.check("a", { ...choice, cost: 4 }), {
        name: "CostError",
        key: "a",
        cost: 4,
        maximum: 3,
      })
      for (const cost of [-1, 0.5, Number.NaN, 2 ** 31 + 1, "1" as never]) {
        await throws(() => limits.check("a", { ...choice, cost }), { name: "RangeError" })
        await throws(() => limits.charge("a", cost, choice), { name: "RangeError" })
      }
      await throws(() => limits.check("", choice), { name: "KeyError" })
      has(await limits.check("a", { ...choice, cost: 0 }), { allowed: true, remaining: 3 }, "cost 0")
      has(await limits.stats("a", choice), { totalAllowed: 0, totalDenied: 0 }, "the statistics")
    },
  },
  {
    name: "peek(): says what check() would, and charges nothing",
    async run(make) {
      const limits = await make({ clock: new ManualClock(START_MS), limits: { api: "2/minute" } })
      const choice = { limit: "api" }
      has(await limits.peek("a", choice), { allowed: true, remaining: 2, receipt: undefined })
      has(await limits.peek("a", choice), { allowed: true, remaining: 2 }, "the second peek")
      await limits.check("a", { ...choice, cost: 2 })
      has(await limits.peek("a", choice), { allowed: false, remaining: 0, retryAfterMs: 30_000 })
      has(await limits.stats("a", choice), { totalAllowed: 1, totalDenied: 0 }, "the statistics")
    },
  },
  {
    name: "charge(): takes units into debt, under the limit that is named",
    async run(make) {
      const clock = new ManualClock(START_MS)
      const limits = await make({ clock, limits: { api: "2/minute", default: "2/minute" } })
      await limits.charge("a", 4, { limit: "api" })
      has(await limits.check("a", { limit: "api" }), { allowed: false, remaining: 0, retryAfterMs: 90_000 })
      has(await limits.check("a"), { allowed: true, remaining: 1 }, "the default limit")
      clock.advance(90_000)
      has(await limits.check("a", { limit: "api" }), { allowed: true, remaining: 0 }, "when the debt is paid")
    },
  },
  {
    name: "block() and unblock(): deny a key under one limit, for a time",
    async run(make) {
      const clock = new ManualClock(START_MS)
      const limits = await make({ clock, limits: { api: "5/minute", default: "5/minute" } })
      await limits.block("a", "10s", { limit: "api" })
      has(await limits.check("a", { limit: "api" }), { allowed: false, reason: "blocked", retryAfterMs: 10_000 })
      has(await limits.status("a", { limit: "api" }), { blockedForMs: 10_000, remaining: 5 }, "the status")
      has(await limits.check("a"), { allowed: true }, "the default limit")
      same(await limits.unblock("a", { limit: "api" }), true, "unblock()")
      same(await limits.unblock("a", { limit: "api" }), false, "unblock() again")
      has(await limits.check("a", { limit: "api" }), { allowed: true, remaining: 4 }, "after the block")
      await limits.block("a", "10s", { limit: "api" })
      clock.advance(10_000)
      same(await limits.unblock("a", { limit: "api" }), false, "unblock() of a block that has ended by itself")
      has(await limits.check("a", { limit: "api" }), { allowed: true }, "after it")
      await throws(() => limits.block("a", "soon", { limit: "api" }), { name: "RangeError" })
    },
  },
  {
    name: "reset(): makes a key's quota full under one limit",
    async run(make) {
      const limits = await make({ clock: new ManualClock(START_MS), limits: { api: "5/minute", default: "5/minute" } })
      await limits.check("a", { limit: "api", cost: 5 })
      await limits.check("a", { cost: 5 })
      same(await limits.reset("a", { limit: "api" }), true)
      same(await limits.reset("nobody", { limit: "api" }), false, "reset() of a key that is full")
      has(await limits.peek("a", { limit: "api", cost: 0 }), { remaining: 5 }, "the key")
      has(await limits.peek("a", { cost: 0 }), { remaining: 0 }, "the key under the other limit")
    },
  },
  {
    name: "status(): tells every rule's readout without a check",
    async run(make) {
      const limits = await make({ clock: new ManualClock(START_MS), limits: { api: "4/second; 10/minute" } })
      await limits.check("a", { limit: "api", cost: 2 })
      const status = await limits.status("a", { limit: "api" })
      has(status, { key: "a", policy: "4-per-1s", remaining: 2, resetAfterMs: 12_000, blockedForMs: 0 })
      same(
        status.rules.map(({ policy, remaining }) => [policy, remaining]),
        [
          ["4-per-1s", 2],
          ["10-per-1m", 8],
        ],
      )
      has(await limits.stats("a", { limit: "api" }), { totalAllowed: 1 }, "the statistics")
    },
  },
  {
    name: "stats(): counts checks and costs of a key under one limit",
    async run(make) {
      const clock = new ManualClock(START_MS)
      const limits = await make({ clock, limits: { api: "3/minute", default: "3/minute" } })
      await limits.check("a", { limit: "api", cost: 2 })
      clock.advance(5)
      await limits.check("a", { limit: "api", cost: 3 })
      await limits.allow("a", { limit: "api", cost: 1 })
      await limits.check("a")
      same(await limits.stats("a", { limit: "api" }), {
        totalAllowed: 2,
        totalDenied: 1,
        totalAllowedCost: 3,
        totalDeniedCost: 3,
        lastAllowedAt: START_MS + 5,
        lastDeniedAt: START_MS + 5,
        lastResetAt: null,
      })
      has(await limits.stats("a"), { totalAllowed: 1, totalDenied: 0 }, "under the default limit")
    },
  },
]
