import { policyOfLimit } from "../policy/parse-policy.js"
import type { Policy } from "../policy/policy.js"
import { policyText } from "./policy-text.js"

/** A text is parsed once, and is the same policy at the next request. */
const chosen = new WeakMap<Policy, Policy>()

/**
 * A policy that a function chose for a request. The next request may have another of the same name, as those of another
 * tier do: a limit that took each of them over in turn would free quota with every change. So each is a limit of its own,
 * called what it says.
 */
export function chosenPolicy(policy: Policy): Policy {
  if (policy.limitName !== undefined) return policy
  let known = chosen.get(policy)
  if (known === undefined) {
    known = policyOfLimit(policy, policyText(policy))
    chosen.set(policy, known)
  }
  return known
}
