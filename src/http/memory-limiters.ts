import { LimiterPool, type PooledLimiter } from "../limiter/limiter-pool.js"
import type { Policy } from "../policy/policy.js"
import { type Clock, systemClock } from "../types/clock.js"
import { perPolicy } from "./per-policy.js"

/** What limiters in memory can be told. */
export interface MemoryOptions {
  readonly clock?: Clock | undefined
  /** The most keys that each policy holds at once. */
  readonly maxKeys?: number | undefined
}

/** About 40 MB of keys with one rule. */
const MAX_KEYS = 2 ** 20
/** So many policies share those keys evenly; more have as many each. */
const SHARING = 64
/** What a policy takes beside its keys, in keys: about 5 KB. */
const POLICY_WEIGHT = 128

/**
 * A limiter in this process's memory for each policy.
 *
 * @param known by `identityOf`, the policies that nobody makes up: they are few, so their counts stay
 * @param isAll whether there are no others. Where a function makes up policies they hold together what 64 full ones do,
 * and are at most 8,192, or half of `maxKeys` where that is more: beyond that, by an eighth at most, those are forgotten of
 * which nothing is used, then those unused for longest
 * @param mostKeys how many keys few policies hold together where `maxKeys` does not say so
 */
export function memoryLimiters(
  known: ReadonlySet<string>,
  isAll: boolean,
  { clock = systemClock, maxKeys }: MemoryOptions,
  mostKeys = MAX_KEYS,
): (policy: Policy, ...rest: unknown[]) => PooledLimiter {
  const pool = new LimiterPool(clock)
  const share = Math.floor(mostKeys / (isAll ? Math.min(known.size, SHARING) : SHARING))
  const keysOf = ({ rules }: Policy) => maxKeys ?? Math.floor(share / rules.length)
  return perPolicy((policy) => pool.make(policy, keysOf(policy)), known, {
    most: Math.max(mostKeys, SHARING * (maxKeys ?? 0)),
    weigh: (limiter) => POLICY_WEIGHT + limiter.size,
    growth: 1,
    isIdle: (limiter) => limiter.isIdle,
  })
}
