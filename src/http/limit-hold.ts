import { asGivenBack } from "../limiter/decide-all.js"
import type { Decision, RuleDecision } from "../types/decision.js"
import { type LimitPart, rulesOf } from "./request-decision.js"

/**
 * What one limit says where nothing is held for longer than a time: it denies what would be, until it would not be, and
 * a denial of its own waits until the request could pass and its hold fits too.
 *
 * @param maxDelayMs the longest hold; 0 where nothing is held at all
 */
export function limitHold(part: LimitPart, maxDelayMs: number): LimitPart {
  const { policy, decision } = part
  const waitMs = (rule: RuleDecision) => Math.max(rule.retryAfterMs, delayMsOf(rule, decision) - maxDelayMs)
  if (maxDelayMs === 0 || rulesOf(part).every((rule) => waitMs(rule) === rule.retryAfterMs)) return part

  const rules = rulesOf({ policy, decision: asGivenBack(decision) }).map((rule) => {
    return { ...rule, retryAfterMs: waitMs(rule) }
  })
  const last = rules.reduce((most, rule) => (rule.retryAfterMs > most.retryAfterMs ? rule : most))
  const { periodMs: _, ...binding } = last
  const denied = {
    ...asGivenBack(decision),
    ...(last.retryAfterMs > decision.retryAfterMs && binding),
    allowed: false,
    reason: decision.reason === "ok" ? "limit" : decision.reason,
    ...(decision.rules && { rules }),
  } as const
  return { policy, decision: denied }
}

/** How long a rule would hold the request: until its bucket is empty of all that came before. */
function delayMsOf({ algorithm, limit, periodMs, resetAfterMs }: RuleDecision, decision: Decision): number {
  const { allowed, cost, delayMs, receipt, rules } = decision
  if (algorithm !== "leaky_bucket") return 0
  if (!allowed) return resetAfterMs
  if (rules === undefined) return delayMs
  // The decision tells the longest delay of its rules. Each one's own is, to the millisecond, what its bucket holds
  // less the request itself.
  const ownMs = receipt === undefined ? 0 : (cost * periodMs) / limit
  return Math.min(delayMs, Math.ceil(resetAfterMs - ownMs))
}
