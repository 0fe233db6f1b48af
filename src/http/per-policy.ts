import type { Policy } from "../policy/policy.js"
import type { RequestLimiter } from "./request-limiter.js"

/** Policies are few: tiers and routes. The bound is for a policy function that makes up ever new ones. */
const MAX_POLICIES = 256

/**
 * Keeps one limiter for each policy, made when the policy is first seen. Of more than `most` policies the one that was
 * not used for longest is forgotten, with its counts where it has them itself.
 */
export function perPolicy<L extends RequestLimiter>(
  make: (policy: Policy) => L,
  most: number = MAX_POLICIES,
): (policy: Policy, ...rest: unknown[]) => L {
  const limiters = new Map<string, L>()
  return (policy) => {
    const identity = identityOf(policy)
    const limiter = limiters.get(identity) ?? make(policy)
    // A Map iterates in the order of insertion, so the first is always the one unused for longest.
    limiters.delete(identity)
    limiters.set(identity, limiter)
    if (limiters.size > most) limiters.delete(limiters.keys().next().value!)
    return limiter
  }
}

/** A text that is equal for equal policies of the same limit. */
export function identityOf({ canonical, limitName }: Policy): string {
  return limitName === undefined ? canonical : `${canonical}\n${limitName}`
}
