import type fc from "fast-check"
import { describe, expect, test } from "vitest"
import { RateLimiter } from "../../src/limiter/rate-limiter.js"
import { policies, RULE_KINDS, rules, rulesOf, type Scenario, scenarios } from "../oracle/arbitraries.js"
import { assertProperty, propertyOf } from "./assert-property.js"
import { PROPERTY_CALLS, PROPERTY_TIMEOUT_MS } from "./budget.js"
import { Lockstep } from "./lockstep.js"

/** Percent of all calls; those with one rule are shared by the kinds of rules. */
const SHARES = { oneRule: 56, severalRules: 20, forward: 14, manyKeys: 10 }

/** Drives scenarios until they made `percent` of the calls. */
async function agree(arbitrary: fc.Arbitrary<Scenario>, percent: number): Promise<void> {
  let missing = Math.ceil((PROPERTY_CALLS * percent) / 100)
  const property = propertyOf(arbitrary, (scenario) => {
    const lockstep = new Lockstep((policy, options) => new RateLimiter(policy, options), scenario)
    lockstep.run()
    missing -= lockstep.calls
  })
  for (let batch = 0; missing > 0; batch++) await assertProperty(property, 50, batch)
}

describe("RateLimiter agrees with the oracle", () => {
  test.each(RULE_KINDS)(
    "with one rule of %s",
    (kind) => {
      const policy = policies(rulesOf[kind], { minRules: 1, maxRules: 1 })
      return agree(scenarios({ policy }), SHARES.oneRule / RULE_KINDS.length)
    },
    PROPERTY_TIMEOUT_MS,
  )

  test(
    "with several rules on a key",
    () => agree(scenarios({ policy: policies(rules, { minRules: 2, maxRules: 4 }) }), SHARES.severalRules),
    PROPERTY_TIMEOUT_MS,
  )

  test(
    "while the clock only moves on",
    () =>
      agree(scenarios({ policy: policies(rules, { minRules: 1, maxRules: 3 }), clockRuns: "forward" }), SHARES.forward),
    PROPERTY_TIMEOUT_MS,
  )

  test(
    "with hundreds of keys",
    () =>
      agree(
        scenarios({ policy: policies(rules, { minRules: 1, maxRules: 2 }), maxKeys: 500, maxCalls: 5_000 }),
        SHARES.manyKeys,
      ),
    PROPERTY_TIMEOUT_MS,
  )

  test("with all calls of the budget", () => {
    expect(Object.values(SHARES).reduce((sum, share) => sum + share)).toBe(100)
  })
})
