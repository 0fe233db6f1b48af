import type { Decision, Reason } from "../types/decision.js"

/**
 * On a denial by a block whose reason tells something else. A symbol, since decisions are copied by spread on their
 * way, and shown as JSON, which has no symbols.
 */
const BY_BLOCK = Symbol("denied by a block")

type MarkedDecision = Decision & { readonly [BY_BLOCK]?: true }

/**
 * Whether a block denies: one that was there before, or one of the policy that this denial has begun.
 *
 * @param blockMs that of the policy
 */
export function isDeniedByBlock(decision: Decision, blockMs: number): boolean {
  const { reason, retryAfterMs, [BY_BLOCK]: isMarked = false } = decision as MarkedDecision
  return isMarked || reason === "blocked" || (reason === "limit" && blockMs > 0 && retryAfterMs >= blockMs)
}

/**
 * A decision that is told for another reason than its limiter's. Whether a block denies is still known of it and of its
 * copies. The receipt is spelled out since it may be a getter of the prototype, which a spread does not see.
 */
export function withReason(decision: Decision, reason: Reason, isByBlock: boolean): Decision {
  const { receipt } = decision
  const told: MarkedDecision = {
    ...decision,
    ...(receipt && { receipt }),
    reason,
    ...(isByBlock && { [BY_BLOCK]: true }),
  }
  return told
}
