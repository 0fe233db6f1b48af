import type { Rule } from "../policy/policy.js"
import type { RuleDecision } from "../types/decision.js"
import type { KeyStatus } from "../types/limiter.js"

/**
 * What is left of a key's quota, of what is left of each rule: the rule with the smallest share left tells its policy.
 */
export function keyStatus(
  key: string,
  rules: readonly Rule[],
  told: readonly RuleDecision[],
  blockedForMs: number,
): KeyStatus {
  // Products of two such integers are up to 2^62, which a float does not tell apart.
  const product = (remainingOf: number, capacityOf: number) =>
    BigInt(told[remainingOf]!.remaining) * BigInt(rules[capacityOf]!.capacity)
  let least = 0
  for (let index = 1; index < rules.length; index++) {
    if (product(index, least) < product(least, index)) least = index
  }
  return {
    key,
    policy: told[least]!.policy,
    remaining: told[least]!.remaining,
    resetAfterMs: Math.max(...told.map((rule) => rule.resetAfterMs)),
    blockedForMs: Math.max(0, blockedForMs),
    rules: told,
  }
}
