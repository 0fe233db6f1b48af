import { isDerivedName, namer } from "../http/rename-policy.js"
import { DEFAULT_LIMIT, type NamedLimit, type NamedLimits } from "../limiter/named-limits.js"
import type { Policy } from "../policy/policy.js"
import { PolicyError } from "../types/errors.js"
import { isFailure } from "./problem-answer.js"

/** Names that a configuration gives to limits and groups: no keys. */
type Names = Pick<ReadonlySet<string>, "has">

/** The limit that decided. */
export interface DecidingLimit {
  readonly name: string
  /** What counts of it are told under where keys are not told: its name, or `OWN_LIMITS`. */
  readonly label: string
}

/** What all limits count under together whose names may be keys. */
const OWN_LIMITS = "(own)"

/**
 * Whether the name of a limit may be told where keys are not. What is stored of a limit, its name and its policy, is
 * the same for a key's own limit and for one that many keys share; so only these are told: the default one, those of a
 * configuration, and those whose rules bear their name, as `withNameIfFits` sees to. A name that `parsePolicy` made of
 * a rate is nobody's, whatever it is equal to. All others may be keys.
 *
 * @param given names that a configuration gives
 */
export function isTold({ name, policy }: NamedLimit, given: Names): boolean {
  if (name === DEFAULT_LIMIT || given.has(name)) return true
  const { rules } = policy
  const isOnly = rules.length === 1
  if (policy.name === name) return !rules.every((rule) => isDerivedName(rule, rule.name, isOnly))
  return rules.some((rule) => {
    if (rule.name === name) return !isDerivedName(rule, name, isOnly)
    return rule.name.startsWith(`${name}-`) && isDerivedName(rule, rule.name.slice(name.length + 1), false)
  })
}

export function decidingLimit(limit: NamedLimit, given: Names): DecidingLimit {
  return { name: limit.name, label: isTold(limit, given) ? limit.name : OWN_LIMITS }
}

/** A limit of which nothing but the name is known. */
export function unknownLimit(name: string, given: Names): DecidingLimit {
  return { name, label: name === DEFAULT_LIMIT || given.has(name) ? name : OWN_LIMITS }
}

/** Which limits there are, and which of their names a configuration gives. */
export interface KnownLimits {
  readonly limits: Pick<NamedLimits, "limit">
  readonly givenNames: Names
}

/** The limit that decided on a key: the one that was asked by name, else the key's own, else the default one. */
export async function findDeciding(
  { limits, givenNames }: KnownLimits,
  key: string,
  asked: string | undefined,
): Promise<DecidingLimit> {
  try {
    const found = await limits.limit(asked ?? key)
    if (found !== null) return decidingLimit(found, givenNames)
  } catch (error) {
    // The check was charged: that the store fails now must not fail its answer.
    if (!isFailure(error)) throw error
    return unknownLimit(asked ?? key, givenNames)
  }
  // One that was asked by name may have been removed meanwhile, or is a group, whose key a list decided on.
  return unknownLimit(asked ?? DEFAULT_LIMIT, givenNames)
}

/**
 * A policy whose rules bear the name of the limit that many keys share, where nobody named them: so headers and metrics
 * tell it. An only rule gets the name itself, one of several the name before its own. Where a rule cannot have that
 * name, for its length say, the policy is left as it is.
 */
export function withNameIfFits(policy: Policy, name: string): Policy {
  try {
    return namer(name)(policy)
  } catch (error) {
    if (error instanceof PolicyError) return policy
    throw error
  }
}
