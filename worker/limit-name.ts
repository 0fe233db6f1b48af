import { policyText } from "../src/http/policy-text.js"
import { isUnnamed } from "../src/http/rename-policy.js"
import type { Policy } from "../src/policy/policy.js"

/**
 * What a limit is called where its objects are named after it: as its policy's only rule, where that has a name of its
 * own, else as the limit was called by whoever configured it. A changed policy leaves it as it is.
 *
 * @param given what the limit was called beside its policy
 * @returns `undefined` where nobody named the limit
 */
export function nameOfLimit(policy: Policy, given?: string): string | undefined {
  const [rule, ...others] = policy.rules
  if (others.length === 0 && !isUnnamed(policy)) return rule.name
  return configuredName(policy) ?? given
}

/** What the limit is called whose policy the tiers and tenants of a configuration chose. */
function configuredName(policy: Policy): string | undefined {
  const { limitName } = policy
  // One that a function made up is called what it says: another policy has another name then.
  if (limitName === undefined || limitName === policyText(policy)) return undefined
  return /^([ -~]+)(?:\n|$)/.exec(limitName)?.[1]
}
