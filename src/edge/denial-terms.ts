import type { Decision } from "../types/decision.js"

/** What only the limiter that denied knows, and who remembers its denial must mind. */
export interface DenialTerms {
  /** Whether another policy decided than the one that was sent, so that how fast the quota comes back is not known. */
  readonly isForeign?: boolean
  /** The most that a check may cost under that other policy: of a greater cost it tells an error, not a denial. */
  readonly maximumCost?: number
  /**
   * How long the key is blocked from the denial on; told where the policy that decided has a `block`. A check after it
   * would begin a block if it were denied, so it has to be asked.
   */
  readonly blockedForMs?: number
}

/** A denial that crosses to its caller, with its terms. */
type ToldDenial = Decision & { readonly terms?: DenialTerms }

/** The terms of denials, kept beside them: callers are shown decisions as they are everywhere. */
const termsByDenial = new WeakMap<Decision, DenialTerms>()

export function termsOf(denial: Decision): DenialTerms {
  return termsByDenial.get(denial) ?? {}
}

export function noteTerms(denial: Decision, terms: DenialTerms): void {
  termsByDenial.set(denial, terms)
}

/** A denial to be sent, with its terms in it: what is beside an object does not cross. */
export function withTerms(denial: Decision, terms: DenialTerms | null): Decision {
  if (terms === null) return denial
  const told: ToldDenial = { ...denial, terms }
  return told
}

/** A decision that was received, with its terms beside it. */
export function receiveDecision(told: Decision): Decision {
  const { terms, ...decision } = told as ToldDenial
  if (terms === undefined) return told
  noteTerms(decision, terms)
  return decision
}
