import type { Policy, Rule } from "../policy/policy.js"
import type { Algorithm } from "../types/algorithm.js"
import type { Decision, RuleDecision } from "../types/decision.js"
import { termsOf } from "./denial-terms.js"

/** Their units come back evenly, or in steps. */
const EVENLY: readonly Algorithm[] = ["gcra", "token_bucket", "leaky_bucket"]
/** Of these a decision tells how what was used comes back; of all others it tells no more than when it is back. */
const FORETOLD: readonly Algorithm[] = [...EVENLY, "fixed_window"]

/** The core tells no longer wait: some 2,230 years. */
const MAX_TOLD_MS = 2 ** 46

/** What was told of a rule, as far as it says how long a cost waits. */
type ToldRule = Pick<RuleDecision, "remaining" | "retryAfterMs" | "resetAfterMs">

/**
 * A denial as it stands after a time, for its own cost or a greater one. Its `retryAfterMs` is exact for its own cost,
 * and enough for a greater one. It tells of the rule that binds by these waits.
 */
export function laterDenial(decision: Decision, policy: Policy, cost: number, elapsedMs: number): Decision {
  const { receipt: _receipt, rules: told, ...rest } = decision
  const rates = termsOf(decision).isForeign ? [] : policy.rules
  const later = <T extends ToldRule>(rule: T, index: number): T => {
    const waitMs = cost === decision.cost ? rule.retryAfterMs : enoughMs(rates[index], rule, cost)
    const resetAfterMs = Math.max(0, rule.resetAfterMs - elapsedMs)
    return { ...rule, retryAfterMs: Math.max(0, waitMs - elapsedMs), resetAfterMs }
  }
  // A block and a charge that lies outside the rules can make the whole wait longer than any rule's.
  const ownMs = Math.max(1, decision.retryAfterMs - elapsedMs)
  if (told === undefined) {
    const only = later(rest, 0)
    return { ...only, cost, retryAfterMs: Math.max(ownMs, only.retryAfterMs) }
  }
  const rules = told.map(later)
  const retryAfterMs = Math.max(ownMs, ...rules.map((rule) => rule.retryAfterMs))
  return { ...rest, ...bindingRule(rules, decision), cost, retryAfterMs, rules }
}

/**
 * Whether `laterDenial` tells well enough how long a cost waits, and not the time until a quota is full of which less
 * may do, as a sliding window's. Under another policy than the caller's, as in a rollout, that time has to do.
 */
export function tellsWaitOf(decision: Decision, cost: number): boolean {
  if (cost === decision.cost || termsOf(decision).isForeign) return true
  const told = decision.rules ?? [decision]
  return told.every(({ algorithm, remaining, retryAfterMs, resetAfterMs }) => {
    return remaining >= cost || retryAfterMs >= resetAfterMs || FORETOLD.includes(algorithm)
  })
}

/**
 * Whether the waits that a denial tells get shorter as time passes, so that `laterDenial` can tell of it. Those of a
 * token bucket that refills in steps are cut off where it is deep in debt: what they are in truth, nobody is told. The
 * debts of other algorithms end where their waits do.
 */
export function tellsWholeWaits(denial: Decision): boolean {
  return (denial.rules ?? [denial]).every(({ algorithm, resetAfterMs }) => {
    return algorithm !== "token_bucket" || resetAfterMs < MAX_TOLD_MS
  })
}

/** What a denial tells of the rule that waits for longest; of the one that it named where none waits, but a block. */
function bindingRule(rules: readonly RuleDecision[], { policy: named }: Decision) {
  const longestMs = Math.max(...rules.map((rule) => rule.retryAfterMs))
  const isBinding = (rule: RuleDecision) => (longestMs > 0 ? rule.retryAfterMs === longestMs : rule.policy === named)
  const { policy, algorithm, limit, remaining, resetAfterMs } = rules.find(isBinding) ?? rules[0]!
  return { policy, algorithm, limit, remaining, resetAfterMs }
}

/**
 * A wait of a rule that is enough for a cost greater than the denied one: too long by a millisecond at most where units
 * come back evenly, by a step where they come in steps and nothing was left.
 *
 * @param rule `undefined` where it is not known: another policy may have other rules
 */
function enoughMs(rule: Rule | undefined, told: ToldRule, cost: number): number {
  const { remaining, retryAfterMs, resetAfterMs } = told
  // Nothing is charged meanwhile, so what was left then is there.
  if (remaining >= cost) return 0
  // When the quota is full again every cost passes: the least that is known to be enough of any other algorithm. That
  // of a fixed window comes back all at once.
  const whenFullMs = Math.max(retryAfterMs, resetAfterMs)
  if (rule === undefined || !EVENLY.includes(rule.algorithm)) return whenFullMs
  const { limit, periodMs, capacity, refill } = rule
  // Once the cost passes, these units may still be missing. They are the last to come back.
  const spare = capacity - cost
  // Not as a float: the product may be above 2⁵³.
  if (refill === null) return resetAfterMs - Number((BigInt(spare) * BigInt(periodMs)) / BigInt(limit))
  const { amount, everyMs } = refill
  // Of a key in debt more is missing than what is left tells.
  const sparedSteps = remaining > 0 ? stepsOf(capacity - remaining) - stepsOf(cost - remaining) : spare / amount
  return resetAfterMs - Math.floor(sparedSteps) * everyMs

  function stepsOf(units: number): number {
    return Math.ceil(units / amount)
  }
}
