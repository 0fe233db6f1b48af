import { type DenialTerms, receiveDecision, withTerms } from "../src/edge/denial-terms.js"
import type { Policy } from "../src/policy/policy.js"
import type { Decision } from "../src/types/decision.js"

/*
 * A decision on its way from an object to the caller is a text: one crosses in less time than the values that it tells
 * of. An admission under the one rule that the caller sent, the commonest of all, says only what the caller cannot
 * know:
 *
 *   remaining ␣ resetAfterMs ␣ delayMs ␣ chargedAtMs ␣ id of the receipt
 *
 * All else is the decision as JSON, which begins with a brace. A denial has its terms in it.
 */
const JSON_BEGIN = "{"

/** What a decision's way to its caller depends on. */
interface RpcManner {
  /** Whether the policy that decided is the one that the caller sent, and the cost the one that it asked. */
  readonly isAsSent: boolean
  /** Of a denial that has some. */
  readonly terms?: DenialTerms | null
}

export function rpcDecision(decision: Decision, { isAsSent, terms = null }: RpcManner): string {
  if (!decision.allowed) return JSON.stringify(withTerms(decision, terms))
  if (!isAsSent || decision.rules !== undefined) return JSON.stringify(decision)
  const { remaining, resetAfterMs, delayMs, receipt } = decision
  if (receipt === undefined) return JSON.stringify(decision)
  return `${remaining} ${resetAfterMs} ${delayMs} ${receipt.chargedAtMs} ${receipt.id}`
}

/** The decision that a text tells about a check of `key` and `cost`, sent under `policy`. */
export function readRpcDecision(text: string, key: string, cost: number, { name, rules: [rule] }: Policy): Decision {
  if (text.startsWith(JSON_BEGIN)) return receiveDecision(JSON.parse(text))
  const [remaining, resetAfterMs, delayMs, chargedAtMs, id] = text.split(" ") as [
    string,
    string,
    string,
    string,
    string,
  ]
  return {
    allowed: true,
    key,
    policy: rule.name,
    algorithm: rule.algorithm,
    limit: rule.limit,
    remaining: Number(remaining),
    cost,
    retryAfterMs: 0,
    resetAfterMs: Number(resetAfterMs),
    delayMs: Number(delayMs),
    reason: "ok",
    receipt: { id, key, policy: name, cost, chargedAtMs: Number(chargedAtMs) },
  }
}
