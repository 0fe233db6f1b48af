import type { Policy } from "../policy/policy.js"
import type { Decision, RuleDecision } from "../types/decision.js"

/** The decision on a request. Where several limits decided, that of the limit that binds most. */
export interface RequestDecision extends Decision {
  /** Each limit's own decision, in the order of `limits`; present where there are several. */
  readonly limits?: readonly Decision[]
}

/** A limit's part in the decision on a request. */
export interface LimitPart {
  /** Absent where the policy itself could not be had. */
  readonly policy: Policy | undefined
  readonly decision: Decision
}

/**
 * The parts as one decision: the one with the longest wait on a denial, else the one with the least left of its limit;
 * with the rules of all.
 */
export function mergeDecisions(parts: readonly LimitPart[]): RequestDecision {
  const [first, ...others] = parts.map(({ decision }) => decision)
  if (others.length === 0) return first!
  const binding = others.reduce((most, each) => (binds(each, most) ? each : most), first!)
  return {
    ...binding,
    ...(binding.receipt && { receipt: binding.receipt }),
    delayMs: Math.max(...parts.map(({ decision }) => decision.delayMs)),
    rules: parts.flatMap(rulesOf),
    limits: parts.map(({ decision }) => decision),
  }
}

/** Whether one decision binds more than another. */
function binds(one: Decision, other: Decision): boolean {
  if (one.allowed !== other.allowed) return !one.allowed
  if (!one.allowed) return one.retryAfterMs > other.retryAfterMs
  return one.remaining * other.limit < other.remaining * one.limit
}

/**
 * Each rule's own decision, of a policy with one rule too. A limiter may have decided by another policy than it was
 * sent, such as a newer one; what it says of an only rule then tells no period, and `periodMs` is 0.
 */
export function rulesOf({ policy, decision }: LimitPart): readonly RuleDecision[] {
  if (decision.rules) return decision.rules
  const { algorithm, limit, remaining, retryAfterMs, resetAfterMs } = decision
  const periodMs = policy?.rules.find((rule) => rule.limit === limit)?.periodMs ?? 0
  return [{ policy: decision.policy, algorithm, limit, periodMs, remaining, retryAfterMs, resetAfterMs }]
}
