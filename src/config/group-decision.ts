import { mergeDecisions, type RequestDecision } from "../http/request-decision.js"
import type { Policy } from "../policy/policy.js"
import type { Decision } from "../types/decision.js"

/**
 * What a group decided: the decision of the limit that binds most, and each limit's own in `limits`, with its receipt.
 */
export type GroupDecision = Omit<RequestDecision, "receipt">

/** The decisions of a group's limits as one. It has no receipt: one would settle a part of what was charged. */
export function groupDecision(policies: readonly Policy[], decisions: readonly Decision[]): GroupDecision {
  const { receipt: _, ...merged } = mergeDecisions(
    decisions.map((decision, index) => ({ policy: policies[index], decision })),
  )
  return { ...merged, limits: decisions }
}
