import { findLimitFor } from "../limiter/limit-for.js"
import { DEFAULT_LIMIT, type LimitChoice, type NamedLimits } from "../limiter/named-limits.js"
import type { Policy } from "../policy/policy.js"
import type { Decision } from "../types/decision.js"

/** What a decision does not say of the rule that it tells of. */
export interface DecidingRule {
  /** The most units at once. */
  readonly capacity: number
  /** What it is called for people. */
  readonly title: string
}

/** The most units at once under a rule, by its name: its burst where it has one, which may be more than its limit. */
export function capacityOf({ rules }: Policy, rule: string): number {
  return (rules.find(({ name }) => name === rule) ?? rules[0]).capacity
}

/**
 * The rule that a decision tells of. `null` where it cannot be known, as of a limit that was removed meanwhile: the
 * decision stands all the same.
 */
export async function decidingRule(
  limits: NamedLimits,
  { key, policy: rule }: Decision,
  choice: LimitChoice,
): Promise<DecidingRule | null> {
  try {
    const found = await findLimitFor((name) => limits.limit(name), key, choice)
    if (!found?.policy.rules.some(({ name }) => name === rule)) return null
    return { capacity: capacityOf(found.policy, rule), title: titleOf(rule, found.name, choice.limit) }
  } catch {
    return null
  }
}

/** An only rule that nobody named is "default", also where the limit is another. */
function titleOf(rule: string, found: string, asked: string | undefined): string {
  if (rule !== "default" || found === DEFAULT_LIMIT) return rule
  return asked ?? "its own limit"
}
