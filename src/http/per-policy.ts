import type { Policy } from "../policy/policy.js"
import type { Checker } from "../types/limiter.js"
import type { LimiterSource } from "./rate-limit-options.js"

/** Policies are few: tiers and routes. The bound is for a policy function that makes up ever new ones. */
const MAX_POLICIES = 256

/**
 * Keeps one limiter for each policy, made when the policy is first seen. Of more than 256 policies the one that was not
 * used for longest is forgotten with its counts.
 */
export function perPolicy(make: (policy: Policy) => Checker): LimiterSource {
  const limiters = new Map<string, Checker>()
  return (policy) => {
    const limiter = limiters.get(policy.canonical) ?? make(policy)
    // A Map iterates in the order of insertion, so the first is always the one unused for longest.
    limiters.delete(policy.canonical)
    limiters.set(policy.canonical, limiter)
    if (limiters.size > MAX_POLICIES) limiters.delete(limiters.keys().next().value!)
    return limiter
  }
}
