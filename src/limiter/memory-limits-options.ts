import type { PolicyInput } from "../policy/policy.js"
import { MAX_KEYS } from "../policy/policy-range.js"
import { CLOCK, flag, type Kinds, OBJECT, oneOf, whole } from "../policy/require-fields.js"
import type { Clock } from "../types/clock.js"

export interface MemoryLimitsOptions {
  /**
   * The limits to begin with, by name; that of the name `"default"` is the one for keys without a limit of their own.
   */
  readonly limits?: Readonly<Record<string, PolicyInput>> | ReadonlyMap<string, PolicyInput> | undefined
  /** Where the time comes from; default the machine's wall clock. */
  readonly clock?: Clock | undefined
  /** The most keys held at once under each limit, 1 … 2^32 − 1; default 524,288. */
  readonly maxKeys?: number | undefined
  /** What a new key meets when `maxKeys` are held: see `RateLimiterOptions.onFull`; default `"evict-nearest-full"`. */
  readonly onFull?: "evict-nearest-full" | "deny-new" | undefined
  /**
   * Whether to keep statistics per key, for `stats` and `top`: 77 to 97 bytes more per key, at most `maxKeys`. Default
   * `false`.
   */
  readonly stats?: boolean | undefined
  /**
   * The most keys whose names are kept, for `list` and `top`, 0 … 2^24; default 0. At the bound the name used least
   * recently is forgotten; its counts stay.
   */
  readonly names?: number | undefined
  /** The most events kept of each key whose name is kept, for `history` and `explain`, 0 … 65,536; default 0. */
  readonly history?: number | undefined
}

/** What each of the options may be. */
export const MEMORY_LIMITS_KINDS: Kinds<MemoryLimitsOptions> = {
  limits: OBJECT,
  clock: CLOCK,
  maxKeys: whole(1, MAX_KEYS),
  onFull: oneOf("evict-nearest-full", "deny-new"),
  stats: flag(),
  names: whole(0, 2 ** 24),
  history: whole(0, 65_536),
}
