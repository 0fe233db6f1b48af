import type { Rule } from "../policy/policy.js"
import type { RuleDecision } from "../types/decision.js"
import type { KeyStatus } from "../types/limiter.js"

/** What is left of a key's quota, of what is left of each rule: the rule with the smallest share left tells its policy. */
export function keyStatus(
  key: string,
  rules: readonly Rule[],
  told: readonly RuleDecision[],
  blockedForMs: number,
): KeyStatus {
  const least = rules.reduce(
    (least, rule, index) =>
      told[index]!.remaining * rules[least]!.capacity < told[least]!.remaining * rule.capacity ? index : least,
    0,
  )
  return {
    key,
    policy: told[least]!.policy,
    remaining: told[least]!.remaining,
    resetAfterMs: Math.max(...told.map((rule) => rule.resetAfterMs)),
    blockedForMs: Math.max(0, blockedForMs),
    rules: told,
  }
}
