import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { RateLimiter } from "../../src/limiter/rate-limiter.js"
import type { RuleInput } from "../../src/policy/policy.js"
import type { Algorithm } from "../../src/types/algorithm.js"
import type { Decision } from "../../src/types/decision.js"
import {
  acts,
  checks,
  policies,
  RULE_KINDS,
  refunds,
  rules,
  rulesOf,
  type Scenario,
  scenarios,
} from "../oracle/arbitraries.js"
import { ClockedOracle } from "../oracle/clocked-oracle.js"
import { assertProperty, propertyOf } from "./assert-property.js"
import { PROPERTY_RUNS, PROPERTY_TIMEOUT_MS } from "./budget.js"
import { keyOf } from "./call-context.js"
import type { MakeLimiter } from "./lockstep.js"
import { Player } from "./player.js"
import { SpanBounds } from "./span-bounds.js"

/** Longer waits are told as this one. */
const LONGEST_WAIT_MS = 2 ** 46
const LAST_MS = 2 ** 47 - 1

const LIMITERS: readonly (readonly [string, MakeLimiter])[] = [
  ["RateLimiter", (policy, options) => new RateLimiter(policy, options)],
  ["the oracle", (policy, options) => new ClockedOracle(policy, options)],
]

const single = (rule: fc.Arbitrary<RuleInput>) => policies(rule, { minRules: 1, maxRules: 1 })
const several = (rule: fc.Arbitrary<RuleInput>) => policies(rule, { minRules: 2, maxRules: 4 })

/** Asserts the bound of every span after each admission. Returns how often a span was filled to its bound. */
function timesFilled(make: MakeLimiter, scenario: Scenario): number {
  const player = new Player(make, scenario)
  const bounds = new SpanBounds(player.context.policy.rules[0])
  for (const call of scenario.calls) {
    const decision = player.play(call)
    if (decision?.receipt !== undefined) bounds.charged(decision.receipt)
  }
  return bounds.timesFilled
}

/** The same with parts of the charges given back, each once, before their spans' later admissions. */
function timesFilledNet(make: MakeLimiter, scenario: Scenario): number {
  const player = new Player(make, scenario)
  const bounds = new SpanBounds(player.context.policy.rules[0])
  for (const call of scenario.calls) {
    if (call.act.verb !== "refund") {
      const decision = player.play(call)
      if (decision?.receipt !== undefined) bounds.charged(decision.receipt)
      continue
    }
    player.context.take(call.step)
    const receipt = bounds.unsettled(call.act.receipt)
    if (receipt === undefined) continue
    const units = Math.floor((receipt.cost * call.act.thousandths) / 1_000)
    player.limiter.refund(receipt, units)
    bounds.refunded(receipt, units)
  }
  return bounds.timesFilled
}

/** Waits after some denials as long as they say, and one ms less. Returns how many. */
function waitsProven(make: MakeLimiter, scenario: Scenario): number {
  const player = new Player(make, scenario)
  const { clock } = player.context
  let proven = 0
  for (const call of scenario.calls) {
    const decision = player.play(call)
    if (decision === null || call.act.verb !== "check" || decision.allowed || call.key > 0) continue
    const { key, cost, retryAfterMs } = decision
    const passesMs = clock.now() + retryAfterMs
    if (retryAfterMs === LONGEST_WAIT_MS || passesMs > LAST_MS) continue
    clock.set(passesMs - 1)
    expect(player.limiter.peek(key, { cost })).toMatchObject({ allowed: false, retryAfterMs: 1 })
    clock.set(passesMs)
    expect(player.limiter.peek(key, { cost })).toMatchObject({ allowed: true, retryAfterMs: 0 })
    expect(player.limiter.check(key, { cost }).allowed).toBe(true)
    proven++
  }
  return proven
}

/** Waits for the quota to be full, and one ms less, where some is used after the last call. Returns 1 where it was. */
function resetProven(make: MakeLimiter, scenario: Scenario): number {
  const player = new Player(make, scenario)
  const { clock, policy } = player.context
  for (const call of scenario.calls) player.play(call)
  const { resetAfterMs } = player.limiter.peek(keyOf(0), { cost: 0 })
  if (resetAfterMs === 0 || resetAfterMs === LONGEST_WAIT_MS || clock.now() + resetAfterMs > LAST_MS) return 0
  clock.advance(resetAfterMs - 1)
  expect(player.limiter.peek(keyOf(0), { cost: 0 }).resetAfterMs).toBe(1)
  clock.advance(1)
  expect(player.limiter.peek(keyOf(0), { cost: 0 })).toMatchObject({
    resetAfterMs: 0,
    remaining: policy.rules[0].capacity,
  })
  return 1
}

/** Plays the scenario with and without the checks that were denied, and compares every other decision. */
function assertDenialsChangeNothing(make: MakeLimiter, scenario: Scenario): void {
  const all = new Player(make, scenario)
  const admitted = new Player(make, scenario)
  for (const call of scenario.calls) {
    const decision = all.play(call)
    admitted.context.clock.set(all.context.clock.now())
    if (decision !== null && !decision.allowed) continue
    const other = admitted.play({ ...call, step: { to: "later", ms: 0 } })
    expect(withoutReceiptId(other)).toEqual(withoutReceiptId(decision))
  }
}

function withoutReceiptId(decision: Decision | null): unknown {
  return decision?.receipt === undefined ? decision : { ...decision, receipt: { ...decision.receipt, id: "" } }
}

/** What the three algorithms of an arrival time have in common: everything but their name and the delay. */
function withoutAlgorithm(decision: Decision | null): unknown {
  if (decision === null) return null
  const rules = decision.rules?.map((rule) => ({ ...rule, algorithm: "" }))
  return { ...(withoutReceiptId(decision) as Decision), rules, algorithm: "", delayMs: 0 }
}

function withAlgorithm(scenario: Scenario, algorithm: Algorithm): Scenario {
  return { ...scenario, policies: scenario.policies.map((policy) => policy.map((rule) => ({ ...rule, algorithm }))) }
}

function assertSameAdmissions(make: MakeLimiter, scenario: Scenario): void {
  const [gcra, ...others] = (["gcra", "token_bucket", "leaky_bucket"] as const).map(
    (algorithm) => new Player(make, withAlgorithm(scenario, algorithm)),
  )
  for (const call of scenario.calls) {
    const expected = withoutAlgorithm(gcra!.play(call))
    for (const other of others) expect(withoutAlgorithm(other.play(call))).toEqual(expected)
  }
}

describe.each(LIMITERS)("%s", (_, make) => {
  /** Runs a property that counts something, and asserts that there was something to count. */
  async function assertCounted(arbitrary: fc.Arbitrary<Scenario>, count: typeof timesFilled): Promise<void> {
    let counted = 0
    const property = propertyOf(arbitrary, (scenario) => {
      counted += count(make, scenario)
    })
    await assertProperty(property, PROPERTY_RUNS)
    expect(counted).toBeGreaterThan(0)
  }

  test.each(RULE_KINDS)(
    "check() of %s admits at most the bound in any span",
    (kind) => {
      const policy = single(rulesOf[kind])
      return assertCounted(
        scenarios({ policy, clockRuns: "forward", act: checks, maxKeys: 1, maxCalls: 80 }),
        timesFilled,
      )
    },
    PROPERTY_TIMEOUT_MS,
  )

  test.each(RULE_KINDS)(
    "check() of %s admits at most the bound net of refunds",
    (kind) => {
      const policy = single(rulesOf[kind])
      const act = fc.oneof({ weight: 2, arbitrary: checks }, { weight: 1, arbitrary: refunds })
      return assertCounted(scenarios({ policy, clockRuns: "forward", act, maxKeys: 1, maxCalls: 80 }), timesFilledNet)
    },
    PROPERTY_TIMEOUT_MS,
  )

  test.each([...RULE_KINDS, "several rules"] as const)(
    "check() of %s tells the smallest wait",
    (kind) => {
      const policy = kind === "several rules" ? several(rules) : single(rulesOf[kind])
      return assertCounted(scenarios({ policy, clockRuns: "forward", maxKeys: 2, maxCalls: 60 }), waitsProven)
    },
    PROPERTY_TIMEOUT_MS,
  )

  test.each(RULE_KINDS)(
    "peek() of %s tells when the quota is full",
    (kind) => {
      const act = acts.filter(({ verb }) => verb !== "setPolicy" && verb !== "block")
      const policy = single(rulesOf[kind])
      return assertCounted(scenarios({ policy, clockRuns: "forward", act, maxKeys: 1, maxCalls: 20 }), resetProven)
    },
    PROPERTY_TIMEOUT_MS,
  )

  test(
    "check() changes nothing where it denies",
    () => {
      const policy = policies(rules, { minRules: 1, maxRules: 3 }).map((parts) =>
        parts.map(({ block: _block, ...rule }) => rule),
      )
      const arbitrary = scenarios({ policy, clockRuns: "forward", maxCalls: 60 })
      return assertProperty(
        propertyOf(arbitrary, (scenario) => assertDenialsChangeNothing(make, scenario)),
        PROPERTY_RUNS,
      )
    },
    PROPERTY_TIMEOUT_MS,
  )

  test(
    "gcra, token_bucket and leaky_bucket admit the same checks",
    () => {
      const arbitrary = scenarios({ policy: policies(rulesOf.gcra, { minRules: 1, maxRules: 3 }), maxCalls: 60 })
      return assertProperty(
        propertyOf(arbitrary, (scenario) => assertSameAdmissions(make, scenario)),
        PROPERTY_RUNS,
      )
    },
    PROPERTY_TIMEOUT_MS,
  )
})

test("SpanBounds finds a limiter that gives back what has leaked away", async () => {
  const act = fc.oneof({ weight: 2, arbitrary: checks }, { weight: 1, arbitrary: refunds })
  const arbitrary = scenarios({ policy: single(rulesOf.gcra), clockRuns: "forward", act, maxKeys: 1, maxCalls: 80 })
  const naive: MakeLimiter = (policy, options) =>
    new (class extends ClockedOracle {
      override refund(receipt: Parameters<ClockedOracle["refund"]>[0], units?: number): void {
        super.refund({ ...receipt, chargedAtMs: options.clock.now() }, units)
      }
    })(policy, options)
  const property = propertyOf(arbitrary, (scenario) => void timesFilledNet(naive, scenario))
  await expect(assertProperty(property, 2_000)).rejects.toThrow("were admitted")
})
