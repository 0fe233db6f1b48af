import { LeasePool, type LeasePoolOptions } from "../src/edge/lease-pool.js"
import { BoundedMap } from "../src/lib/bounded-map.js"
import type { EdgeLimiterOptions } from "./edge-limiter-options.js"
import type { KeyPlaces } from "./key-places.js"

/** Units of one limit that an isolate drew ahead. */
export interface SharedLeases {
  readonly pool: LeasePool
  /** Keys whose quota is being made full: nothing is drawn for them meanwhile. */
  readonly resets: Set<{ readonly key: string; readonly sinceMs: number }>
}

/**
 * Of so many limits of a namespace a new limiter finds what others drew. The leases and settled receipts of one can
 * take some 3 MB, and an isolate has 128 MB for all.
 */
const MAX_LIMITS = 32

/**
 * The leases of each namespace that an isolate uses, by limit. Of a limit beyond the bound, each limiter keeps its own.
 */
const sharedByNamespace = new WeakMap<object, BoundedMap<string, SharedLeases>>()

/**
 * The leases of a limit, the same for all limiters that an isolate makes of it: of one made for each request nothing
 * would be spent else, and what each drew would lie there until it is given back.
 */
export function sharedLeases(
  binding: object,
  places: KeyPlaces,
  lease: LeasePoolOptions,
  { shards, owner }: EdgeLimiterOptions,
): SharedLeases {
  // Another function may find other objects.
  if (typeof owner === "function") return newLeases(lease)
  const limit = JSON.stringify([places.name, places.subjectText, shards, owner, lease])
  const shared = sharedByNamespace.get(binding) ?? new BoundedMap<string, SharedLeases>(MAX_LIMITS)
  const leases = shared.get(limit) ?? newLeases(lease)
  shared.set(limit, leases)
  sharedByNamespace.set(binding, shared)
  return leases
}

function newLeases(lease: LeasePoolOptions): SharedLeases {
  return { pool: new LeasePool(lease), resets: new Set() }
}
