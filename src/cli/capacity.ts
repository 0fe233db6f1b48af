import { DEFAULT_LIMIT, type LimitChoice, type NamedLimits } from "../limiter/named-limits.js"
import type { Policy } from "../policy/policy.js"
import type { Decision } from "../types/decision.js"

/** The most units at once under a rule, by its name: its burst where it has one, which may be more than its limit. */
export function capacityOf({ rules }: Policy, rule: string): number {
  return (rules.find(({ name }) => name === rule) ?? rules[0]).capacity
}

/**
 * The same for the rule that a decision tells of, which says only its limit. `null` where it cannot be known, as of a
 * limit that was removed meanwhile: the decision stands all the same.
 */
export async function capacityBehind(
  limits: NamedLimits,
  { key, policy: rule }: Decision,
  { limit }: LimitChoice,
): Promise<number | null> {
  try {
    const found =
      limit === undefined
        ? ((await limits.limit(key)) ?? (await limits.limit(DEFAULT_LIMIT)))
        : await limits.limit(limit)
    return found?.policy.rules.some(({ name }) => name === rule) ? capacityOf(found.policy, rule) : null
  } catch {
    return null
  }
}
