import { describe, expect, test } from "vitest"
import { RateLimiter } from "../../src/limiter/rate-limiter.js"
import { parsePolicy } from "../../src/policy/parse-policy.js"
import type { Scenario } from "../oracle/arbitraries.js"
import { CallContext } from "./call-context.js"
import { Lockstep } from "./lockstep.js"

/** What random runs found, shrunk, with the seed that they had. Seeds alone would change with the generators. */
const KEPT: Readonly<Record<string, Scenario>> = {
  "1753761650: a refund of units that weigh more than the longest time gives back all that is ahead": {
    policies: [
      [{ limit: 5, period: 64, algorithm: "leaky_bucket", burst: 2_147_483_648 }],
      [{ limit: 1, period: 3_600_000, algorithm: "leaky_bucket", burst: 9_773_435 }],
    ],
    startMs: 1_700_000_000_000,
    clockRuns: "anyhow",
    calls: [
      {
        key: 0,
        step: { to: "retry", shift: 0 },
        act: { verb: "check", units: { of: "capacity", thousandths: 10 } },
      },
      { key: 0, step: { to: "later", ms: 0 }, act: { verb: "setPolicy", policy: 1 } },
      {
        key: 0,
        step: { to: "later", ms: 0 },
        act: { verb: "check", units: { of: "capacity", thousandths: 1_000 } },
      },
      { key: 0, step: { to: "retry", shift: 0 }, act: { verb: "charge", units: { of: "one", units: 9_773_439 } } },
      { key: 0, step: { to: "later", ms: -1 }, act: { verb: "refund", receipt: 0, thousandths: 1_000 } },
    ],
  },
  "900866702: a wait of more steps than the longest time is shorter than that where a part of a step has passed": {
    policies: [
      [
        {
          limit: 1,
          period: 315_360_000_000,
          algorithm: "token_bucket",
          burst: 111,
          refill: { amount: 1, every: 315_360_000_000 },
          block: 1,
        },
      ],
      [{ limit: 1, period: 1, algorithm: "token_bucket", burst: 1, refill: { amount: 1, every: 1 } }],
    ],
    startMs: 1_700_000_000_000,
    clockRuns: "anyhow",
    calls: [
      {
        key: 1,
        step: { to: "interval", rule: 0, times: 1, shift: 0 },
        act: { verb: "check", units: { of: "capacity", thousandths: 1_000 } },
      },
      {
        key: 1,
        step: { to: "furthest", shift: 0 },
        act: { verb: "charge", units: { of: "capacity", thousandths: 4_000 } },
      },
      { key: 0, step: { to: "reset", shift: 0 }, act: { verb: "check", units: { of: "capacity", thousandths: 0 } } },
      { key: 0, step: { to: "later", ms: 0 }, act: { verb: "check", units: { of: "capacity", thousandths: 1_000 } } },
      { key: 1, step: { to: "later", ms: -1 }, act: { verb: "check", units: { of: "capacity", thousandths: 0 } } },
      { key: 0, step: { to: "retry", shift: 0 }, act: { verb: "refund", receipt: 7, thousandths: 1_000 } },
      { key: 0, step: { to: "furthest", shift: 0 }, act: { verb: "check", units: { of: "capacity", thousandths: 0 } } },
      {
        key: 0,
        step: { to: "interval", rule: 0, times: 4, shift: 0 },
        act: { verb: "refund", receipt: 0, thousandths: 0 },
      },
    ],
  },
  "-1045936371: a refund that gives nothing back forgets a quota that is full but for less than a unit": {
    policies: [
      [{ limit: 10, period: 6, algorithm: "sliding_window" }],
      [{ limit: 1, period: 1, algorithm: "sliding_window" }],
    ],
    startMs: 1_700_000_000_000,
    clockRuns: "anyhow",
    calls: [
      {
        key: 0,
        step: { to: "interval", rule: 0, times: 1, shift: 0 },
        act: { verb: "check", units: { of: "capacity", thousandths: 100 } },
      },
      { key: 0, step: { to: "furthest", shift: 0 }, act: { verb: "check", units: { of: "one", units: 1 } } },
      { key: 1, step: { to: "later", ms: 0 }, act: { verb: "check", units: { of: "capacity", thousandths: 1_000 } } },
      { key: 0, step: { to: "reset", shift: 0 }, act: { verb: "check", units: { of: "one", units: 1 } } },
      { key: 0, step: { to: "later", ms: -10 }, act: { verb: "check", units: { of: "one", units: 1 } } },
      {
        key: 0,
        step: { to: "interval", rule: 0, times: 6, shift: 1 },
        act: { verb: "check", units: { of: "one", units: 3 } },
      },
      {
        key: 0,
        step: { to: "interval", rule: 0, times: 7, shift: 0 },
        act: { verb: "refund", receipt: 0, thousandths: 1_000 },
      },
      {
        key: 1,
        step: { to: "interval", rule: 0, times: -1, shift: 0 },
        act: { verb: "check", units: { of: "one", units: 1 } },
      },
      { key: 1, step: { to: "later", ms: -1 }, act: { verb: "check", units: { of: "one", units: 1 } } },
      {
        key: 1,
        step: { to: "window", rule: 0, shift: 0 },
        act: { verb: "check", units: { of: "one", units: 1 } },
      },
      { key: 0, step: { to: "later", ms: -13 }, act: { verb: "peek", units: { of: "capacity", thousandths: 0 } } },
      { key: 0, step: { to: "reset", shift: 0 }, act: { verb: "refund", receipt: 4, thousandths: 334 } },
      {
        key: 0,
        step: { to: "furthest", shift: 0 },
        act: { verb: "check", units: { of: "capacity", thousandths: 1_000 } },
      },
    ],
  },
  "-1492859811: a rule that is full says nothing of when a charge of the other rules comes back": {
    policies: [
      [
        { limit: 3, period: 7, algorithm: "leaky_bucket" },
        { limit: 108, period: 5_724, algorithm: "token_bucket", burst: 10_000, refill: { amount: 42, every: 2_226 } },
      ],
    ],
    startMs: 1_700_000_000_000,
    clockRuns: "anyhow",
    calls: [
      { key: 0, step: { to: "later", ms: 0 }, act: { verb: "check", units: { of: "one", units: 3 } } },
      { key: 0, step: { to: "later", ms: -2_228 }, act: { verb: "check", units: { of: "one", units: 1 } } },
      { key: 0, step: { to: "later", ms: 7 }, act: { verb: "check", units: { of: "one", units: 2 } } },
      { key: 0, step: { to: "later", ms: 2_220 }, act: { verb: "refund", receipt: 1, thousandths: 500 } },
      { key: 0, step: { to: "later", ms: 0 }, act: { verb: "refund", receipt: 0, thousandths: 334 } },
    ],
  },
  "-1218184066: what a longer policy finds too old stays so where it was put in place before the first question": {
    policies: [
      [{ limit: 1, period: 1, algorithm: "sliding_window_log" }],
      [{ limit: 1, period: 2, algorithm: "sliding_window_log" }],
    ],
    startMs: 1_700_000_000_000,
    clockRuns: "anyhow",
    calls: [
      { key: 0, step: { to: "later", ms: 1 }, act: { verb: "setPolicy", policy: 1 } },
      { key: 0, step: { to: "later", ms: -3_600_003 }, act: { verb: "check", units: { of: "one", units: 1 } } },
      { key: 0, step: { to: "later", ms: 0 }, act: { verb: "refund", receipt: 0, thousandths: 1_000 } },
    ],
  },
}

describe("RateLimiter agrees with the oracle where it once did not", () => {
  test.each(Object.entries(KEPT))("%s", (_, scenario) => {
    const lockstep = new Lockstep((policy, options) => new RateLimiter(policy, options), scenario)
    lockstep.run()
    expect(lockstep.calls).toBe(scenario.calls.length)
  })
})

describe("CallContext", () => {
  test("take() leaves a clock that only moves on where it is, past the last time of a scenario (seed 1890570799)", () => {
    const policy = parsePolicy("3/83ms sliding_window")
    const context = new CallContext(policy, { startMs: 2 ** 47 - 1, clockRuns: "forward" })
    // Ten years before the end of the range, so that the longest block ends within it.
    const startMs = context.clock.now()
    expect(startMs).toBe(2 ** 47 - 1 - 315_360_000_000)
    context.take({ to: "later", ms: 5 })
    expect(context.clock.now()).toBe(startMs)
    // A property waits as long as an answer says, which may be longer than a scenario's own steps lead.
    context.clock.set(startMs + 117)
    context.take({ to: "window", rule: 0, shift: 0 })
    expect(context.clock.now()).toBe(startMs + 117)
  })
})
