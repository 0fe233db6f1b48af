import type { Policy } from "../policy/policy.js"
import type { RequestLimiter } from "./request-limiter.js"

/** How much the limiters of policies may hold that nobody knew before, since a function makes them up. */
export interface PolicyBound<L> {
  /** What they may weigh together. An eighth more is possible, so that they need not be weighed at every question. */
  readonly most: number
  /** What one weighs, at least 1. */
  readonly weigh: (limiter: L) => number
  /** The most that a limiter gains by being asked once. */
  readonly growth: number
  /** Whether one says no more than a new one would. */
  readonly isIdle: (limiter: L) => boolean
}

/** Who makes the limiters may be anybody: what they hold is not known, so they are counted. */
const COUNTED: PolicyBound<RequestLimiter> = { most: 1_024, weigh: () => 1, growth: 0, isIdle: () => false }
const NONE: ReadonlySet<string> = new Set()
/** As many limits as one request may ask: those looked up last may not have been asked yet. */
const ASKED_TOGETHER = 16

/**
 * Keeps one limiter for each policy, made when the policy is first seen.
 *
 * @param known by `identityOf`, policies of which there are only so many: their limiters are never forgotten
 * @param bound for all others. Where it is reached, those that are idle are forgotten, and then those that were not
 * used for longest, with their counts where they have them themselves, until an eighth of the room is free; where the
 * idle ones suffice, the bound may be passed by as much
 */
export function perPolicy<L extends RequestLimiter>(
  make: (policy: Policy) => L,
  known: ReadonlySet<string> = NONE,
  bound: PolicyBound<L> = COUNTED,
): (policy: Policy, ...rest: unknown[]) => L {
  const kept = new Map<string, L>()
  const recent = new Map<string, L>()
  /** At least what the recent ones weigh, but for the eighth that `makeRoom` may leave out. */
  let weight = 0
  return (policy) => {
    const identity = identityOf(policy)
    const limiters = known.has(identity) ? kept : recent
    const found = limiters.get(identity)
    const limiter = found ?? make(policy)
    if (limiters === kept) {
      if (found === undefined) kept.set(identity, limiter)
      return limiter
    }
    weight += bound.growth + (found === undefined ? bound.weigh(limiter) : 0)
    // A Map iterates in the order of insertion, so the first is always the one unused for longest.
    recent.delete(identity)
    recent.set(identity, limiter)
    if (weight > bound.most) weight = makeRoom(recent, bound)
    return limiter
  }
}

/**
 * Forgets limiters where they weigh too much.
 *
 * @returns the weight of those that are left, at most seven eighths of the bound
 */
function makeRoom<L>(recent: Map<string, L>, { most, weigh, isIdle }: PolicyBound<L>): number {
  let weight = 0
  let others = recent.size - ASKED_TOGETHER
  for (const [identity, limiter] of recent) {
    if (others-- > 0 && isIdle(limiter)) recent.delete(identity)
    else weight += weigh(limiter)
  }
  const roomy = most * (7 / 8)
  if (weight > most) {
    for (const [identity, limiter] of recent) {
      if (weight <= roomy || recent.size <= ASKED_TOGETHER) break
      recent.delete(identity)
      weight -= weigh(limiter)
    }
  }
  // So that the next look at all of them comes only after an eighth of the bound is asked for, however little this one
  // freed.
  return Math.min(weight, roomy)
}

/** A text that is equal for equal policies of the same limit. */
export function identityOf({ canonical, limitName }: Policy): string {
  return limitName === undefined ? canonical : `${canonical}\n${limitName}`
}
