import { formatSpan } from "../lib/format-span.js"
import { findLimitFor } from "../limiter/limit-for.js"
import { DEFAULT_LIMIT, type LimitChoice, type NamedLimit, type NamedLimits } from "../limiter/named-limits.js"
import type { Policy } from "../policy/policy.js"
import type { Decision } from "../types/decision.js"
import type { KeyStatus } from "../types/limiter.js"
import { formatNumber } from "./format.js"
import { plainName } from "./plain-text.js"

/** What a decision does not say of the rule that it tells of. */
export interface DecidingRule {
  /** The most units at once. */
  readonly capacity: number
  /** What it is called for people. */
  readonly title: string
}

/** The most units at once under a rule, by its name: its burst where it has one, which may be more than its limit. */
function capacityOf({ rules }: Policy, rule: string): number {
  return (rules.find(({ name }) => name === rule) ?? rules[0]).capacity
}

/**
 * The limit that a verb is about. `null` where it cannot be known, as of one that was removed meanwhile: what was told
 * of it stands all the same.
 */
export async function limitOf(limits: NamedLimits, key: string, choice: LimitChoice): Promise<NamedLimit | null> {
  try {
    return await findLimitFor((name) => limits.limit(name), key, choice)
  } catch {
    return null
  }
}

/** The rule that a decision tells of; `null` where it cannot be known. */
export async function decidingRule(
  limits: NamedLimits,
  { key, policy: rule }: Decision,
  choice: LimitChoice,
): Promise<DecidingRule | null> {
  const found = await limitOf(limits, key, choice)
  if (!found?.policy.rules.some(({ name }) => name === rule)) return null
  return { capacity: capacityOf(found.policy, rule), title: ruleTitle(rule, limitTitle(found, choice)) }
}

/** What a limit is called for people: one that nobody asked for by its name is the key's own, or the default. */
export function limitTitle({ name }: Pick<NamedLimit, "name">, { limit: asked }: LimitChoice): string {
  return asked ?? (name === DEFAULT_LIMIT ? name : "its own limit")
}

/** An only rule that nobody named is "default", also where the limit is another. */
function ruleTitle(rule: string, limit: string): string {
  return rule === "default" ? limit : rule
}

/** What is left of each rule of a limit, a line for each. */
export function ruleLines({ rules }: KeyStatus, { policy }: Pick<NamedLimit, "policy">, limit: string): string {
  return rules
    .map((rule) => {
      const left = `${formatNumber(rule.remaining)} of ${formatNumber(capacityOf(policy, rule.policy))} left`
      const full = rule.resetAfterMs === 0 ? "full now" : `full in ${formatSpan(rule.resetAfterMs)}`
      return `  ${plainName(ruleTitle(rule.policy, limit))}: ${left}, ${full}\n`
    })
    .join("")
}
