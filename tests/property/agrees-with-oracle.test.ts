import type fc from "fast-check"
import { afterAll, describe, expect, test } from "vitest"
import { RateLimiter } from "../../src/limiter/rate-limiter.js"
import { policies, RULE_KINDS, rules, rulesOf, type Scenario, scenarios } from "../oracle/arbitraries.js"
import { assertProperty, propertyOf } from "./assert-property.js"
import { Lockstep } from "./lockstep.js"

const { SLUICE_PROPERTY_CALLS } = process.env

/** Random calls over all tests of this file. */
const CALLS = Number(SLUICE_PROPERTY_CALLS ?? 1_100_000)
const TIMEOUT_MS = 600_000

const SHARES = {
  algorithm: 0.08,
  severalRules: 0.2,
  forward: 0.14,
  manyKeys: 0.1,
}

let driven = 0

/** Drives scenarios until they made `share` of the calls. */
async function agree(arbitrary: fc.Arbitrary<Scenario>, share: number): Promise<void> {
  const wanted = Math.ceil(CALLS * share)
  let calls = 0
  const property = propertyOf(arbitrary, (scenario) => {
    const lockstep = new Lockstep((policy, options) => new RateLimiter(policy, options), scenario)
    lockstep.run()
    calls += lockstep.calls
  })
  for (let batch = 0; calls < wanted; batch++) await assertProperty(property, 50, batch)
  driven += calls
}

describe("RateLimiter agrees with the oracle", () => {
  test.each(RULE_KINDS)(
    "with one rule of %s",
    (kind) => agree(scenarios({ policy: policies(rulesOf[kind], { minRules: 1, maxRules: 1 }) }), SHARES.algorithm),
    TIMEOUT_MS,
  )

  test(
    "with several rules on a key",
    () => agree(scenarios({ policy: policies(rules, { minRules: 2, maxRules: 4 }) }), SHARES.severalRules),
    TIMEOUT_MS,
  )

  test(
    "while the clock only moves on",
    () =>
      agree(scenarios({ policy: policies(rules, { minRules: 1, maxRules: 3 }), clockRuns: "forward" }), SHARES.forward),
    TIMEOUT_MS,
  )

  test(
    "with hundreds of keys",
    () =>
      agree(
        scenarios({ policy: policies(rules, { minRules: 1, maxRules: 2 }), maxKeys: 500, maxCalls: 5_000 }),
        SHARES.manyKeys,
      ),
    TIMEOUT_MS,
  )

  afterAll(() => {
    expect(driven).toBeGreaterThanOrEqual(CALLS)
  })
})
