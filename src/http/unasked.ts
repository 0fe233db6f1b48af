import type { Policy } from "../policy/policy.js"
import type { Decision, Reason } from "../types/decision.js"

/** What was to be asked of one limit, as far as it is known. */
export interface LimitQuestion {
  policy: Policy | undefined
  key: string
  cost: number
  /** What the limit is called, where a function chose its policy, so that another one may have its name. */
  readonly limit?: string | undefined
}

/**
 * What a client is told to wait for a limiter that cannot be asked: nobody knows, and a second is the least there is.
 */
const FAIL_CLOSED_RETRY_MS = 1_000

/** A decision for which nobody counted, as a fail mode's. The numbers of the quota are not known. */
export function unasked(reason: Reason, { policy, key, cost }: LimitQuestion): Decision {
  return {
    allowed: reason === "fail-open",
    key,
    policy: policy?.name ?? "",
    algorithm: policy?.rules[0].algorithm ?? "gcra",
    limit: policy?.rules[0].limit ?? 0,
    remaining: 0,
    cost,
    retryAfterMs: reason === "fail-closed" ? FAIL_CLOSED_RETRY_MS : 0,
    resetAfterMs: 0,
    delayMs: 0,
    reason,
  }
}
