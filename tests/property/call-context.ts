import type { Policy, Rule } from "../../src/policy/policy.js"
import { ManualClock } from "../../src/types/clock.js"
import type { Decision } from "../../src/types/decision.js"
import type { Scenario, Step, Units } from "../oracle/arbitraries.js"
import { ruleOracle } from "../oracle/registry.js"

/** The last time, 2^47 − 1, less the longest block. */
const LAST_MS = 2 ** 47 - 1 - 315_360_000_000
const MOST_UNITS = 2 ** 31
const KEYS = ["a", "__proto__", "🔑/constructor:é"]

/** The key of that number. */
export function keyOf(number: number): string {
  return KEYS[number] ?? `key-${number}`
}

/** What a scenario's relative calls are relative to: the policy in place, the clock, and the last answer. */
export class CallContext {
  readonly clock: ManualClock
  policy: Policy
  readonly #clockRuns: Scenario["clockRuns"]
  #answer: Decision | null = null
  #answeredMs = 0

  constructor(policy: Policy, scenario: Pick<Scenario, "startMs" | "clockRuns">) {
    this.policy = policy
    this.clock = new ManualClock(Math.min(scenario.startMs, LAST_MS))
    this.#clockRuns = scenario.clockRuns
  }

  /** Keeps the answer that later steps refer to. */
  answered(decision: Decision): void {
    this.#answer = decision
    this.#answeredMs = this.clock.now()
  }

  /** Moves the clock, at most to the ends of the range of times, and back only if it may run so. */
  take(step: Step): void {
    const earliestMs = this.#clockRuns === "forward" ? this.clock.now() : 0
    this.clock.set(Math.max(earliestMs, Math.min(this.#target(step), LAST_MS)))
  }

  /** Whole units, 0 … 2^31. */
  units(units: Units): number {
    if (units.of === "one") return units.units
    const capacity = Math.min(...this.policy.rules.map((rule) => rule.capacity))
    return Math.min(Math.floor((capacity * units.thousandths) / 1_000), MOST_UNITS)
  }

  #target(step: Step): number {
    const nowMs = this.clock.now()
    if (step.to === "later") return nowMs + step.ms
    if (step.to === "interval") {
      const rule = this.#rule(step.rule)
      const intervalMs = rule.refill?.everyMs ?? rule.periodMs / rule.limit
      return nowMs + Math.ceil(intervalMs * step.times) + step.shift
    }
    if (step.to === "window") {
      const { periodMs, offsetMs } = this.#rule(step.rule)
      return (Math.floor((nowMs - offsetMs) / periodMs) + 1) * periodMs + offsetMs + step.shift
    }
    const answer = this.#answer
    if (answer === null) return nowMs + step.shift
    if (step.to === "retry") return this.#answeredMs + answer.retryAfterMs + step.shift
    const fullMs = this.#answeredMs + answer.resetAfterMs
    if (step.to === "reset") return fullMs + step.shift
    const binding = this.policy.rules.find((rule) => rule.name === answer.policy) ?? this.policy.rules[0]
    return fullMs - Number(ruleOracle(binding).fullRefillMs) + step.shift
  }

  #rule(number: number): Rule {
    return this.policy.rules[number % this.policy.rules.length]!
  }
}
