import { parsePolicy, policyOfLimit } from "../policy/parse-policy.js"
import type { Policy, PolicyInput } from "../policy/policy.js"
import { requireNames } from "../policy/require-fields.js"
import { policyText } from "./policy-text.js"
import { namer, unnamed } from "./rename-policy.js"

/** A text is parsed once, and is the same policy at the next request. */
const chosen = new WeakMap<Policy, Policy>()

/**
 * A policy as `rateLimit` counts it where a function of `policy` returned it: with a `limitName`, what it says. So
 * whoever wants to reset, block or look at a key of a tier finds its counts, by an `EdgeLimiter` of this policy, or by
 * this `limitName` in the limits of `namedLimiters`.
 *
 * @param input what the function returned, or an equal policy
 * @param limit `name` is that of the entry of `limits`, or `default-2` and so on of one without; it counts where the
 *   policy has none of its own
 * @throws {PolicyError} where the policy cannot be; {RangeError} where there is an option of another name
 * @example
 * ```ts
 * import { MemoryLimits } from "sluice/limits"
 * import { chosenPolicy, namedLimiters, rateLimit } from "sluice/http"
 *
 * const limits = new MemoryLimits()
 * const policy = () => "1/h as pro"
 * const limited = rateLimit(() => new Response("hello"), { policy, key: () => "ann", limiter: namedLimiters(limits) })
 * await limited(new Request("http://localhost/")) // 200, RateLimit: "pro";r=0;t=3600
 * await limited(new Request("http://localhost/")) // 429, Retry-After: 3600
 * limits.reset("ann", { limit: chosenPolicy("1/h as pro").limitName }) // true
 * await limited(new Request("http://localhost/")) // 200, RateLimit: "pro";r=0;t=3600
 * ```
 */
export function chosenPolicy(input: PolicyInput, limit: { readonly name?: string | undefined } = {}): Policy {
  requireNames("choose a policy", limit, ["name"])
  return asChosen(namer(limit.name ?? unnamed(0))(parsePolicy(input)))
}

/**
 * A policy that a function chose for a request. The next request may have another of the same name, as those of another
 * tier do: a limit that took each of them over in turn would free quota with every change. So each is a limit of its
 * own, called what it says.
 */
export function asChosen(policy: Policy): Policy {
  if (policy.limitName !== undefined) return policy
  let known = chosen.get(policy)
  if (known === undefined) {
    known = policyOfLimit(policy, policyText(policy))
    chosen.set(policy, known)
  }
  return known
}
