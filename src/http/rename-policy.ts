import { formatDuration } from "../policy/format-duration.js"
import { parsePolicy, policyOfLimit } from "../policy/parse-policy.js"
import type { Policy, Rule, RuleInput } from "../policy/policy.js"

/** What an only rule is called that nobody named. */
const UNNAMED = "default"

/** What the limit at a place is called that nobody named. */
export function unnamed(index: number): string {
  return index === 0 ? UNNAMED : `${UNNAMED}-${index + 1}`
}

/** Whether a policy has the name of a limit that nobody named. */
export function isUnnamed({ name }: Policy): boolean {
  return /^default(-\d+)?$/.test(name)
}

/**
 * Makes a function that gives the rules of policies this name where nobody named them: an only rule the name itself,
 * one of several the name before its own, such as `user-10-per-1s`. What was renamed is remembered for as long as the
 * policy lives.
 */
export function namer(name: string): (policy: Policy) => Policy {
  const renamed = new WeakMap<Policy, Policy>()
  return (policy) => {
    if (name === UNNAMED) return policy
    const known = renamed.get(policy)
    if (known) return known
    const rules = (JSON.parse(policy.canonical) as RuleInput[]).map((rule, index) => {
      const own = policy.rules[index]!
      return isDerivedName(own, own.name, own.name === UNNAMED) ? { ...rule, name: nameOf(own.name) } : rule
    })
    const isNamed = rules.every((rule, index) => rule.name === policy.rules[index]!.name)
    const { limitName } = policy
    let made = isNamed ? policy : parsePolicy(rules)
    if (!isNamed && limitName !== undefined) made = policyOfLimit(made, limitName)
    renamed.set(policy, made)
    return made
  }

  function nameOf(derived: string): string {
    return derived === UNNAMED ? name : `${name}-${derived}`
  }
}

/**
 * Whether a name is the one that `parsePolicy` gives a rule where nobody did.
 *
 * @param isOnly whether it is its policy's only rule
 */
export function isDerivedName({ limit, periodMs }: Rule, name: string, isOnly: boolean): boolean {
  if (isOnly) return name === UNNAMED
  const derived = `${limit}-per-${formatDuration(periodMs)}`
  return name === derived || (name.startsWith(`${derived}-`) && /^\d+$/.test(name.slice(derived.length + 1)))
}
