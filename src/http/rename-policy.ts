import { parsePolicy } from "../policy/parse-policy.js"
import type { Policy } from "../policy/policy.js"

/** What an only rule is called that nobody named. */
export const UNNAMED = "default"

/**
 * Makes a function that gives policies of one rule without a name this one, and leaves the others as they are. What was
 * renamed is remembered for as long as the policy lives.
 */
export function namer(name: string): (policy: Policy) => Policy {
  const renamed = new WeakMap<Policy, Policy>()
  return (policy) => {
    if (policy.name !== UNNAMED || name === UNNAMED) return policy
    const known = renamed.get(policy)
    if (known) return known
    const [rule] = JSON.parse(policy.canonical)
    const made = parsePolicy({ ...rule, name })
    renamed.set(policy, made)
    return made
  }
}
