import type { Policy, Rule } from "../policy/policy.js"
import type { Reason, RuleDecision } from "../types/decision.js"
import { LimitDecision } from "./limit-decision.js"
import type { Issuer } from "./receipt-id.js"
import {
  RULE_REMAINING,
  RULE_RESET_AFTER,
  RULE_RETRY_AFTER,
  VERDICT_BINDING_RULE,
  VERDICT_CHARGED_AT,
  VERDICT_DELAY,
  VERDICT_RETRY_AFTER,
  VERDICT_RULE_SIZE,
  VERDICT_RULES,
} from "./verdict-layout.js"

/*
 * What the core's verdict says, as decisions. Its numbers are valid until the next call.
 */

/** The reason of a decision, by its outcome; none where the outcome is no decision. */
export const REASONS: readonly (Reason | undefined)[] = ["limit", "ok", "blocked"]

/** @param chargeNumber the charge's number with its issuer; 0 where nothing was charged */
export function verdictDecision(
  verdict: Float64Array,
  reason: Reason,
  rules: Policy["rules"],
  key: string,
  cost: number,
  issuer: Issuer,
  chargeNumber: number,
): LimitDecision {
  // As an int32: a float would make the place in `rules` one to look up by name.
  const binding = verdict[VERDICT_BINDING_RULE]! | 0
  const at = VERDICT_RULES + binding * VERDICT_RULE_SIZE
  const decision = new LimitDecision(
    reason,
    key,
    rules[binding]!,
    small(verdict[at + RULE_REMAINING]!),
    cost,
    small(verdict[VERDICT_RETRY_AFTER]!),
    small(verdict[at + RULE_RESET_AFTER]!),
    small(verdict[VERDICT_DELAY]!),
    issuer,
    chargeNumber,
    verdict[VERDICT_CHARGED_AT]!,
  )
  return rules.length === 1 ? decision : Object.assign(decision, { rules: verdictRules(verdict, rules) })
}

/** What a verdict says of each rule. */
export function verdictRules(verdict: Float64Array, rules: readonly Rule[]): RuleDecision[] {
  return rules.map((rule, index) => {
    const at = VERDICT_RULES + index * VERDICT_RULE_SIZE
    return ruleDecision(
      rule,
      verdict[at + RULE_REMAINING]!,
      verdict[at + RULE_RETRY_AFTER]!,
      verdict[at + RULE_RESET_AFTER]!,
    )
  })
}

/**
 * The denial of a key for which there is no room under any rule, until a neighbour's quota is full under all of them.
 */
export function refuseNewKey(
  verdict: Float64Array,
  rules: Policy["rules"],
  key: string,
  cost: number,
  issuer: Issuer,
): LimitDecision {
  const waitMs = verdict[VERDICT_RETRY_AFTER]!
  const binding = rules[verdict[VERDICT_BINDING_RULE]!]!
  const decision = new LimitDecision("limit", key, binding, 0, cost, waitMs, waitMs, 0, issuer, 0, 0)
  if (rules.length === 1) return decision
  return Object.assign(decision, { rules: rules.map((rule) => ruleDecision(rule, 0, waitMs, waitMs)) })
}

function ruleDecision(
  { name, algorithm, limit, periodMs }: Rule,
  remaining: number,
  retryAfterMs: number,
  resetAfterMs: number,
): RuleDecision {
  return { policy: name, algorithm, limit, periodMs, remaining, retryAfterMs, resetAfterMs }
}

/**
 * The same number. An object holds one that is an int32 by itself, and needs a box for a float: most here are small.
 */
function small(value: number): number {
  const int = value | 0
  return int === value ? int : value
}
