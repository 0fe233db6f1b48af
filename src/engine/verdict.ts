import type { Policy, Rule } from "../policy/policy.js"
import type { Reason, RuleDecision } from "../types/decision.js"
import { VERDICT_CHARGED_AT, VERDICT_HEAD, VERDICT_RULE } from "./core.js"
import { LimitDecision } from "./limit-decision.js"
import type { Issuer } from "./receipt-id.js"

/*
 * What the core's verdict says, as decisions. Its numbers are drawn in assembly/decide.ts: valid until the next call.
 */

/** The reason of a decision, by its outcome; none where the outcome is no decision. */
export const REASONS: readonly (Reason | undefined)[] = ["limit", "ok", "blocked"]

/** @param charge the charge's number with its issuer; 0 where nothing was charged */
export function verdictDecision(
  verdict: Float64Array,
  reason: Reason,
  rules: Policy["rules"],
  key: string,
  cost: number,
  issuer: Issuer,
  charge: number,
): LimitDecision {
  // As an int32: a float would make the place in `rules` one to look up by name.
  const binding = verdict[2]! | 0
  const at = VERDICT_HEAD + binding * VERDICT_RULE
  const decision = new LimitDecision(
    reason,
    key,
    rules[binding]!,
    small(verdict[at]!),
    cost,
    small(verdict[0]!),
    small(verdict[at + 2]!),
    small(verdict[1]!),
    issuer,
    charge,
    verdict[VERDICT_CHARGED_AT]!,
  )
  return rules.length === 1 ? decision : Object.assign(decision, { rules: verdictRules(verdict, rules) })
}

/** What a verdict says of each rule. */
export function verdictRules(verdict: Float64Array, rules: readonly Rule[]): RuleDecision[] {
  return rules.map((rule, index) => {
    const at = VERDICT_HEAD + index * VERDICT_RULE
    return ruleDecision(rule, verdict[at]!, verdict[at + 1]!, verdict[at + 2]!)
  })
}

/** The denial of a key for which there is no room: it may come back when a held key could have become idle. */
export function refuseNewKey(rules: Policy["rules"], key: string, cost: number, issuer: Issuer): LimitDecision {
  const closed = rules.map((rule) => ruleDecision(rule, 0, rule.periodMs, rule.periodMs))
  const { periodMs } = rules[0]
  const decision = new LimitDecision("limit", key, rules[0], 0, cost, periodMs, periodMs, 0, issuer, 0, 0)
  return rules.length === 1 ? decision : Object.assign(decision, { rules: closed })
}

function ruleDecision(
  { name, algorithm, limit, periodMs }: Rule,
  remaining: number,
  retryAfterMs: number,
  resetAfterMs: number,
): RuleDecision {
  return { policy: name, algorithm, limit, periodMs, remaining, retryAfterMs, resetAfterMs }
}

/** The same number. An object holds one that is an int32 by itself, and needs a box for a float: most here are small. */
function small(value: number): number {
  const int = value | 0
  return int === value ? int : value
}
