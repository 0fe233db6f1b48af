import { ManualClock } from "../../../src/types/clock.js"
import { has, isTrue, same, throws } from "../assert.js"
import { START_MS } from "../limiter-case.js"
import type { NamedLimitsCase } from "../named-limits-case.js"

export const explainCases: readonly NamedLimitsCase[] = [
  {
    name: "explain(): tells the limit, the decision and when it would be admitted, charging nothing",
    async run(make) {
      const limits = await make({
        clock: new ManualClock(START_MS),
        limits: { api: "4/minute as fast; 10/hour as slow" },
      })
      const choice = { limit: "api" }
      has(await limits.explain("a", choice), { limit: "api", nextAdmissionAtMs: START_MS }, "an admission")
      await limits.check("a", { ...choice, cost: 4 })
      const denied = await limits.explain("a", { ...choice, cost: 2 })
      has(denied, { limit: "api", nextAdmissionAtMs: START_MS + 30_000 }, "a denial")
      has(denied.decision, { allowed: false, policy: "fast", cost: 2, retryAfterMs: 30_000, remaining: 0 })
      same(
        denied.decision.rules?.map(({ policy, remaining }) => [policy, remaining]),
        [
          ["fast", 0],
          ["slow", 6],
        ],
      )
      has(denied.status, { key: "a", policy: "fast", remaining: 0 })
      same(denied.policy.name, "fast+slow", "the policy")
      isTrue(denied.because.includes("fast"), "the binding rule named in the words")
      same(
        denied.recent.filter(({ event }) => event !== "define").map(({ event, units }) => [event, units]),
        [["admit", 4]],
      )
      has(await limits.stats("a", choice), { totalAllowed: 1, totalDenied: 0 }, "the statistics")
      await throws(() => limits.explain("a", { ...choice, cost: 5 }), { name: "CostError", maximum: 4 })
    },
  },
  {
    name: "explain(): tells of a block",
    async run(make) {
      const limits = await make({ clock: new ManualClock(START_MS), limits: { default: "4/minute" } })
      await limits.block("a", "10s")
      const blocked = await limits.explain("a")
      has(blocked, { limit: "default", nextAdmissionAtMs: START_MS + 10_000 })
      has(blocked.decision, { allowed: false, reason: "blocked" })
      has(blocked.status, { blockedForMs: 10_000 })
      isTrue(blocked.because.includes("blocked"), "the block named in the words")
    },
  },
  {
    name: "explain(): tells a block and the quota that lasts longer apart",
    async run(make) {
      const limits = await make({ clock: new ManualClock(START_MS), limits: { default: "4/minute" } })
      await limits.check("a", { cost: 4 })
      await limits.block("a", "10s")
      const short = await limits.explain("a", { cost: 2 })
      has(short, { nextAdmissionAtMs: START_MS + 30_000 })
      same(short.because, "The key is blocked for another 10000 ms, and its quota admits cost 2 in 30000 ms.")
      await limits.block("a", "40s")
      const long = await limits.explain("a", { cost: 2 })
      has(long, { nextAdmissionAtMs: START_MS + 40_000 })
      same(long.because, "The key is blocked for another 40000 ms.")
    },
  },
]
