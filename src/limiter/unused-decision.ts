import type { Policy } from "../policy/policy.js"
import type { Decision } from "../types/decision.js"

/** What a limiter says of a check of a key that was not used yet, charging nothing. */
export function unusedDecision({ rules: of }: Policy, key: string, cost: number): Decision {
  const rules = of.map(({ name, algorithm, limit, periodMs, capacity }) => {
    return { policy: name, algorithm, limit, periodMs, remaining: capacity, retryAfterMs: 0, resetAfterMs: 0 }
  })
  // All are full, so none binds more than the first.
  const { periodMs: _, ...first } = rules[0]!
  return {
    ...{ allowed: true, key, ...first, cost, delayMs: 0, reason: "ok" },
    ...(rules.length > 1 && { rules }),
  }
}
