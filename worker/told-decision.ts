import { type DenialTerms, withTerms } from "../src/edge/denial-terms.js"
import type { LimitDecision } from "../src/engine/limit-decision.js"
import type { LedgerLimit } from "../src/ledger/own-limit.js"
import { maximumCost } from "../src/policy/maximum-cost.js"
import type { Policy } from "../src/policy/policy.js"
import type { Decision } from "../src/types/decision.js"
import { rpcDecision } from "./rpc-decision.js"

/** A decision that was just made, as its caller is told it, who sent a policy. */
export function toldDecision(decision: LimitDecision, limit: LedgerLimit, sent: Policy, nowMs: number): Decision {
  return withTerms(decision.toJSON(), denialTerms(decision, limit, sent, nowMs))
}

/** The same as a text, to be read by `readRpcDecision`. */
export function toldText(decision: LimitDecision, limit: LedgerLimit, sent: Policy, nowMs: number): string {
  return rpcDecision(decision, { isAsSent: isAsSent(limit, sent), terms: denialTerms(decision, limit, sent, nowMs) })
}

/** `null` where there is nothing that the caller does not know by the policy that it sent. */
function denialTerms(decision: Decision, limit: LedgerLimit, sent: Policy, nowMs: number): DenialTerms | null {
  if (decision.allowed) return null
  const isForeign = !isAsSent(limit, sent)
  const { policy } = limit
  const foreign = isForeign ? { isForeign, maximumCost: maximumCost(policy.rules) } : null
  if (policy.blockMs > 0) return { ...foreign, blockedForMs: limit.openKeys().status(decision.key, nowMs).blockedForMs }
  return foreign
}

function isAsSent({ policy }: LedgerLimit, sent: Policy): boolean {
  return policy.canonical === sent.canonical
}
