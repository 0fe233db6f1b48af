import { RateLimiter } from "../limiter/rate-limiter.js"
import { type Clock, systemClock } from "../types/clock.js"
import { perPolicy } from "./per-policy.js"
import type { LimiterSource } from "./rate-limit-options.js"

/** What limiters in memory can be told. */
export interface MemoryOptions {
  readonly clock?: Clock | undefined
  /** The most keys that each policy holds at once. */
  readonly maxKeys?: number | undefined
}

/** Keys that all policies together hold where nobody says how many: about 40 MB of those with one rule. */
const MOST_KEYS = 2 ** 20
/** Policies that a function may make up at a time. Tiers and routes are few. */
const MOST_POLICIES = 64

/**
 * A limiter in this process's memory for each policy.
 *
 * @param policies how many different policies there will be; `undefined` where nobody knows, because a function gives
 * them: then at most 64 at a time, and the one unused for longest is forgotten with its counts. What they hold together
 * is bounded either way: they share the keys evenly.
 */
export function memoryLimiters(policies: number | undefined, { clock = systemClock, maxKeys }: MemoryOptions) {
  const most = policies ?? MOST_POLICIES
  return perPolicy((policy) => {
    const keys = maxKeys ?? (most === 1 ? undefined : Math.floor(MOST_KEYS / (most * policy.rules.length)))
    return new RateLimiter(policy, { clock, ...(keys !== undefined && { maxKeys: keys }) })
  }, most) satisfies LimiterSource
}
