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

/** Which policies limiters in memory are for. */
export interface PoliciesToCount {
  /** By `identityOf`, those that nobody makes up: they are few, so their counts stay. */
  readonly known: ReadonlySet<string>
  /** Whether a function makes up others. */
  readonly hasOthers: boolean
}

/** About 40 MB of keys with one rule. */
const DEFAULT_KEYS_TOGETHER = 2 ** 20
/** So many policies share those keys evenly; more have as many each. */
const SHARING = 64
/** What a policy takes beside its keys, in keys: about 5 KB. */
const POLICY_WEIGHT = 128

/**
 * A limiter in this process's memory for each policy.
 *
 * Those of policies that a function makes up hold together what 64 full ones do, and are at most 8,192, or half of
 * `maxKeys` where that is more: beyond that, by an eighth at most, those are forgotten of which nothing is used, then
 * those unused for longest.
 *
 * @param maxKeysTogether how many keys few policies hold together where `maxKeys` does not say so
 */
export function memoryLimiters(
  { known, hasOthers }: PoliciesToCount,
  { clock = systemClock, maxKeys }: MemoryOptions,
  maxKeysTogether = DEFAULT_KEYS_TOGETHER,
): (policy: Policy, ...rest: unknown[]) => PooledLimiter {
  const pool = new LimiterPool(clock)
  const share = Math.floor(maxKeysTogether / (hasOthers ? SHARING : Math.min(known.size, SHARING)))
  const keysOf = ({ rules }: Policy) => maxKeys ?? Math.floor(share / rules.length)
  return perPolicy((policy) => pool.make(policy, keysOf(policy)), known, {
    most: Math.max(maxKeysTogether, SHARING * (maxKeys ?? 0)),
    weigh: (limiter) => POLICY_WEIGHT + limiter.size,
    growth: 1,
    isIdle: (limiter) => limiter.isIdle,
  })
}
