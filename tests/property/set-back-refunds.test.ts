import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { RateLimiter } from "../../src/limiter/rate-limiter.js"
import { parsePolicy } from "../../src/policy/parse-policy.js"
import type { Policy, PolicyInput, Rule } from "../../src/policy/policy.js"
import { ManualClock } from "../../src/types/clock.js"
import type { Receipt } from "../../src/types/receipt.js"
import { ClockedOracle } from "../oracle/clocked-oracle.js"
import { assertProperty, propertyOf } from "./assert-property.js"
import { PROPERTY_RUNS, PROPERTY_TIMEOUT_MS } from "./budget.js"
import type { MakeLimiter } from "./lockstep.js"

/*
 * What is charged, less what is refunded, under a clock that goes back: within the bound of the time by which it went
 * forward, but for what is given back of charges of before a call that may have moved the key back.
 */

const START_MS = 1_700_000_000_000

const LIMITERS: readonly (readonly [string, MakeLimiter])[] = [
  ["RateLimiter", (policy, options) => new RateLimiter(policy, options)],
  ["the oracle", (policy, options) => new ClockedOracle(policy, options)],
]

/** A step of the clock, then a check of a cost or a refund of a charge, counted from the newest. */
interface Step {
  readonly byMs: number
  readonly cost: number
  readonly refunds: number | null
}

interface Scenario {
  readonly policy: PolicyInput
  readonly steps: readonly Step[]
}

const arrivalTimes = fc.record({
  algorithm: fc.constantFrom("gcra" as const, "token_bucket" as const),
  limit: fc.integer({ min: 1, max: 8 }),
  period: fc.integer({ min: 2, max: 60 }),
  burst: fc.integer({ min: 1, max: 10 }),
})
const steppedBuckets = fc
  .record({
    amount: fc.integer({ min: 1, max: 3 }),
    every: fc.integer({ min: 1, max: 30 }),
    more: fc.integer({ min: 0, max: 7 }),
  })
  .map(({ amount, every, more }) => {
    const burst = amount + more
    return { algorithm: "token_bucket" as const, limit: amount, period: every, burst, refill: { amount, every } }
  })
const logs = fc.record({
  algorithm: fc.constant("sliding_window_log" as const),
  limit: fc.integer({ min: 1, max: 8 }),
  period: fc.integer({ min: 2, max: 60 }),
})

const steps: fc.Arbitrary<Step> = fc.record({
  byMs: fc.oneof(
    { weight: 4, arbitrary: fc.constant(0) },
    { weight: 4, arbitrary: fc.integer({ min: 1, max: 30 }) },
    { weight: 2, arbitrary: fc.integer({ min: -60, max: -1 }) },
  ),
  cost: fc.integer({ min: 1, max: 10 }),
  refunds: fc.option(fc.integer({ min: 0, max: 5 }), { freq: 2 }),
})

const scenarios: fc.Arbitrary<Scenario> = fc.record({
  policy: fc.oneof(
    fc.array(arrivalTimes, { minLength: 1, maxLength: 2 }),
    fc.array(logs, { minLength: 1, maxLength: 2 }),
    fc.array(steppedBuckets, { minLength: 1, maxLength: 2 }),
    fc.tuple(arrivalTimes, logs).map((rules) => [...rules]),
  ),
  steps: fc.array(steps, { minLength: 5, maxLength: 80 }),
})

interface Charge {
  readonly receipt: Receipt
  /** By how much the clock had gone forward in all, and how many calls may have moved the key back by then. */
  readonly forwardMs: number
  readonly moves: number
  netUnits: number
  /** What was given back of it after a call that may have moved the key back. */
  movedUnits: number
  isSettled: boolean
}

/** The most units in a span of so much time; `null` where the algorithm promises none. */
function mostUnits({ algorithm, limit, periodMs, capacity, refill }: Rule, spanMs: number): number | null {
  if (refill !== null) return capacity + refill.amount * (Math.floor(spanMs / refill.everyMs) + 1)
  if (algorithm !== "sliding_window_log") return capacity + Math.floor((spanMs * limit) / periodMs)
  return spanMs < periodMs ? limit : null
}

/**
 * Asserts the bounds after each admission.
 *
 * @param allowsMoved whether what was given back after a move may exceed them
 * @returns how many spans lie beyond the bound by what was given back after a move
 */
function spansBeyond(make: MakeLimiter, { policy: input, steps }: Scenario, allowsMoved = true): number {
  const clock = new ManualClock(START_MS)
  const policy: Policy = parsePolicy(input)
  const limiter = make(input, { clock })
  const capacity = Math.min(...policy.rules.map((rule) => rule.capacity))
  const charges: Charge[] = []
  let forwardMs = 0
  let seenMs = START_MS
  let moves = 0
  let beyond = 0
  for (const { byMs, cost, refunds } of steps) {
    clock.advance(byMs)
    forwardMs += Math.max(0, byMs)
    if (refunds !== null) {
      const charge = charges.at(-1 - refunds)
      if (charge === undefined || charge.isSettled) continue
      const units = Math.min(cost, charge.receipt.cost)
      limiter.refund(charge.receipt, units)
      charge.isSettled = true
      charge.netUnits -= units
      if (charge.moves < moves) charge.movedUnits = units
      continue
    }
    if (clock.now() < seenMs) moves += 1
    seenMs = Math.max(seenMs, clock.now())
    const { receipt } = limiter.check("a", { cost: Math.min(cost, capacity) })
    if (receipt === undefined) continue
    charges.push({ receipt, forwardMs, moves, netUnits: receipt.cost, movedUnits: 0, isSettled: false })
    for (const rule of policy.rules) beyond += spansOf(rule, charges, allowsMoved)
  }
  return beyond
}

/** Asserts the bound of a rule in each span that ends with the newest charge. How many lie beyond it. */
function spansOf(rule: Rule, charges: readonly Charge[], allowsMoved: boolean): number {
  const endMs = charges.at(-1)!.forwardMs
  let net = 0
  let movedBefore = charges.reduce((sum, { movedUnits }) => sum + movedUnits, 0)
  let beyond = 0
  for (const charge of charges.toReversed()) {
    net += charge.netUnits
    // Those of the span itself are net of it already.
    movedBefore -= charge.movedUnits
    const most = mostUnits(rule, endMs - charge.forwardMs)
    if (most === null) continue
    if (net > most + (allowsMoved ? movedBefore : 0)) throw new Error(`${net} units were admitted, ${most} may be`)
    if (net > most) beyond += 1
  }
  return beyond
}

describe.each(LIMITERS)("%s", (_, make) => {
  test(
    "charges net of refunds exceed the bound by no more than what is given back of those of before a move",
    () =>
      assertProperty(
        propertyOf(scenarios, (scenario) => void spansBeyond(make, scenario)),
        PROPERTY_RUNS,
      ),
    PROPERTY_TIMEOUT_MS,
  )

  test("a key that is moved back to after a charge gives back of it what had leaked before", () => {
    const scenario = (asksBetween: boolean): Scenario => ({
      policy: "10/second",
      steps: [
        { byMs: 0, cost: 3, refunds: null },
        { byMs: 400, cost: 10, refunds: null },
        { byMs: -350, cost: 1, refunds: asksBetween ? null : 9 },
        { byMs: 0, cost: 3, refunds: 1 },
        { byMs: 0, cost: 2, refunds: null },
      ],
    })
    expect(spansBeyond(make, scenario(false), false)).toBe(0)
    expect(spansBeyond(make, scenario(true))).toBe(1)
    expect(() => spansBeyond(make, scenario(true), false)).toThrow("12 units were admitted, 10 may be")
  })
})
