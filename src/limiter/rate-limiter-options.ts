import { MAX_KEYS } from "../policy/policy-range.js"
import { CLOCK, flag, type Kinds, oneOf, whole } from "../policy/require-fields.js"
import type { Clock } from "../types/clock.js"
import { WAITING_KIND, type WaitingLineOptions } from "./acquire-options.js"

export interface RateLimiterOptions extends WaitingLineOptions {
  /** Where the time comes from; default the machine's wall clock. */
  readonly clock?: Clock | undefined
  /**
   * The most keys held at once, 1 … 2^32 − 1. A key is held only while some of its quota is used, or it is blocked.
   * The default takes about 40 MB when full: 1,048,576 keys of a policy with one rule, fewer with more rules.
   */
  readonly maxKeys?: number | undefined
  /**
   * What a new key meets when `maxKeys` are held and none of its 28 neighbours is idle: `"evict-nearest-full"` (the
   * default) forgets the neighbour that would be full soonest, `"deny-new"` denies the new key until the first of them
   * is idle. Its decision is that of the rule under which that one is full last.
   */
  readonly onFull?: "evict-nearest-full" | "deny-new" | undefined
  /**
   * Whether to keep statistics per key, for `stats`: 77 to 97 bytes more per key, a reset or denied one included.
   * They outlive a key's usage; at `maxKeys`, a new key takes the place of a neighbour that was counted longest ago.
   * Default `false`.
   */
  readonly stats?: boolean | undefined
}

/** What each of the options may be. */
export const RATE_LIMITER_KINDS: Kinds<RateLimiterOptions> = {
  clock: CLOCK,
  maxKeys: whole(1, MAX_KEYS),
  onFull: oneOf("evict-nearest-full", "deny-new"),
  stats: flag(),
  maxWaiting: WAITING_KIND,
}
