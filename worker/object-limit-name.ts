import { policyText } from "../src/http/policy-text.js"
import { isUnnamed, unnamed } from "../src/http/rename-policy.js"
import type { Policy } from "../src/policy/policy.js"

/** What is known of a limit beside its policy. */
export interface Naming {
  /** What it was called beside its policy. */
  readonly given?: string | undefined
  /**
   * Whether its policy's only rule has a name of its own. Without it, one that may have been given for a place among
   * several is none.
   */
  readonly isNamed?: boolean
}

/**
 * What a limit is called where its objects are named after it: as its policy's only rule, where that has a name of its
 * own, else as the limit was called by whoever configured it. A changed policy leaves it as it is.
 *
 * @returns `undefined` where nobody named the limit
 */
export function objectLimitName(
  policy: Policy,
  { given, isNamed = mayBeNamed(policy) }: Naming = {},
): string | undefined {
  return isNamed ? policy.rules[0].name : (configuredName(policy) ?? given)
}

function mayBeNamed(policy: Policy): boolean {
  return policy.rules.length === 1 && !isUnnamed(policy)
}

/** Whether a policy, as it was written, has an only rule that somebody named. */
export function hasOwnName({ rules }: Policy): boolean {
  return rules.length === 1 && rules[0].name !== unnamed(0)
}

/** What the limit is called whose policy the tiers and tenants of a configuration chose. */
function configuredName(policy: Policy): string | undefined {
  const { limitName } = policy
  // One that a function made up is called what it says: another policy has another name then.
  if (limitName === undefined || limitName === policyText(policy)) return undefined
  return /^([ -~]+)(?:\n|$)/.exec(limitName)?.[1]
}
