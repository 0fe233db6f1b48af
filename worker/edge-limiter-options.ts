import { DenialCache } from "../src/edge/denial-cache.js"
import type { LeasePoolOptions } from "../src/edge/lease-pool.js"
import { SYNC_MODES, type SyncMode } from "../src/ledger/sync-mode.js"
import { type DurationRange, parseDurationArgument } from "../src/policy/parse-duration.js"
import type { Duration, Policy } from "../src/policy/policy.js"
import { MAX_TIMER_MS, MAX_UNITS } from "../src/policy/policy-range.js"
import {
  either,
  FUNCTION,
  having,
  type Kind,
  type Kinds,
  OBJECT,
  oneOf,
  READ_ELSEWHERE,
  requireFields,
  requireKind,
  unfit,
  whole,
} from "../src/policy/require-fields.js"
import { NO_LEASE, tellsDelay } from "../src/policy/tells-delay.js"
import { show } from "../src/types/errors.js"
import { PLACEMENT_KINDS, type Placement } from "./object-calls.js"

/**
 * Units of a hot key that an isolate draws at once and spends without a call, by whichever limiter of the same
 * namespace, policy and options; where `owner` is a function, each limiter draws and spends its own.
 *
 * A check that costs more than a quarter of `units`, and more than 1, is asked of the object all the same. What was
 * spent from a lease can be refunded while the lease lasts, at most `ttl`; afterwards its units come back with time.
 */
export interface LeaseOptions {
  /** The most units drawn at once, 1 … 2^31; fewer are drawn while fewer are used. Default 1,000. */
  readonly units?: number | undefined
  /** How long drawn units may be spent, 1 ms … 20 s; default `"2s"`. What is left is given back before. */
  readonly ttl?: Duration | undefined
}

/**
 * `name`, `tenant`, `shards`, `owner` and `jurisdiction` say which objects the keys are in: given, changed or left out
 * later, they start every key anew.
 */
export interface EdgeLimiterOptions extends Placement {
  /**
   * What sets the keys of this limit apart from those of others in the same namespace, printable ASCII. Under one name
   * the objects take a changed policy over with what was used, and of two in use at a time the newer one decides; so
   * give two limits two names; policies among which `rateLimit` chooses have objects of their own all the same. The
   * default is the name of the policy's only rule where it has one, else that of the limit in a configuration or in
   * `limits` of `rateLimit`, else the policy itself: then a changed policy starts with fresh keys.
   */
  readonly name?: string | undefined
  /** Whose limit it is, any text: each tenant has objects of its own under the same name. */
  readonly tenant?: string | undefined
  /** Puts all keys into so many objects by hash, 1 … 10,000, in place of one object for each. */
  readonly shards?: number | undefined
  /**
   * Puts the keys of all limits with the same owner into one object, where `checkAll` decides them in one transaction:
   * a text, or a function of the key that tells it at once. Not together with `shards`.
   */
  readonly owner?: string | ((key: string) => string) | undefined
  /**
   * When an admission may be told: `"always"` (default) when its charge is on disk, `"ahead"` when a grant of units
   * that covers it is, `"batch"` at once.
   */
  readonly sync?: SyncMode | undefined
  /** Where denials are remembered; default one for the whole namespace. `false` asks the object each time. */
  readonly denialCache?: DenialCache | false | undefined
  /**
   * Draws units of hot keys ahead. `"auto"` only of keys of which their object says that they are. Default: not. Not of
   * a `leaky_bucket`, and not beside several limits of `rateLimit`, which are asked together. Requests wait for each
   * other's draws, which takes a compatibility date of 2024-10-14 or later.
   */
  readonly lease?: LeaseOptions | "auto" | undefined
  /**
   * How long an object may take to answer, ms, 1 … 2^31 − 1. Default: as long as it takes; in `checkAll`, and for a
   * check that waits to share a call, 5,000. For units that another request draws, a check waits 2,000 at most, or this
   * where it is less.
   */
  readonly timeoutMs?: number | undefined
  /**
   * Lets work go on when the request is answered, such as `waitUntil` of `cloudflare:workers`, so that leases of idle
   * keys are given back, and checks of one object that come at the same time share calls: one of their requests makes
   * the call for all, which must not end with it. The middleware does so by itself. Without it each check is a call, as
   * with a compatibility date before 2024-10-14.
   */
  readonly background?: ((work: Promise<unknown>) => void) | undefined
}

const TTL_RANGE: DurationRange = { minMs: 1, maxMs: 20_000 }
const DEFAULT_LEASE = { units: 1_000, ttl: "2s" } as const

const WELL_FORMED: Kind = {
  allowed: "a well-formed text, not empty",
  fits: (value) => typeof value === "string" && value !== "" && value.isWellFormed(),
}

const OPTION_KINDS: Kinds<EdgeLimiterOptions> = {
  name: {
    allowed: "printable ASCII, not empty",
    fits: (value) => typeof value === "string" && /^[ -~]+$/.test(value),
  },
  tenant: WELL_FORMED,
  shards: whole(1, 10_000),
  owner: either(WELL_FORMED, FUNCTION),
  sync: oneOf(...SYNC_MODES),
  denialCache: either(oneOf(false), {
    allowed: "a DenialCache",
    fits: (value) => value instanceof DenialCache,
  }),
  lease: either(oneOf("auto"), OBJECT),
  timeoutMs: whole(1, MAX_TIMER_MS),
  background: FUNCTION,
  ...PLACEMENT_KINDS,
}
/** Every option of a limiter at the edge. */
export const EDGE_OPTION_NAMES: readonly string[] = Object.keys(OPTION_KINDS)

const LEASE_KINDS: Kinds<LeaseOptions> = { units: whole(1, MAX_UNITS), ttl: READ_ELSEWHERE }

/** A misspelt name gives `undefined` where the environment is asked for the binding. */
export const NAMESPACE: Kind = { ...having("getByName"), allowed: "a binding of LimiterObject" }

/** @throws {RangeError} where a binding is none */
export function requireNamespace(binding: unknown): void {
  requireKind("make a limiter", "binding", binding, NAMESPACE)
}

/** @throws {RangeError} naming the option, its value and what is allowed */
export function requireEdgeOptions(options: EdgeLimiterOptions): void {
  requireFields("make a limiter", options, OPTION_KINDS)
  const { owner, shards, lease } = options
  if (lease !== undefined) poolOptionsOf(lease)
  if (owner !== undefined && shards !== undefined) {
    throw new RangeError(
      `Cannot make a limiter: owner is ${show(owner)} and shards is ${shards}, allowed is one of owner and shards.`,
    )
  }
}

/** What an `owner` function says of a key. @throws {RangeError} where that is no owner, such as a promise of one */
export function requireOwner(key: string, owner: unknown): string {
  requireKind(`find the object of key ${show(key)}`, "the answer of owner", owner, WELL_FORMED)
  return owner as string
}

/** @throws {RangeError} naming the option, its value and what is allowed */
export function readLease(lease: LeaseOptions | "auto" | undefined, policy: Policy): LeasePoolOptions | null {
  if (lease === undefined) return null
  if (tellsDelay(policy)) throw unfit("make a limiter", "lease", lease, NO_LEASE)
  return poolOptionsOf(lease)
}

/** @throws {RangeError} naming the option, its value and what is allowed */
function poolOptionsOf(lease: LeaseOptions | "auto"): LeasePoolOptions {
  if (lease !== "auto") requireFields("make a limiter", lease, LEASE_KINDS, "lease.")
  const { units = DEFAULT_LEASE.units, ttl = DEFAULT_LEASE.ttl } = lease === "auto" ? DEFAULT_LEASE : lease
  return {
    units,
    ttlMs: parseDurationArgument("make a limiter", "lease.ttl", ttl, TTL_RANGE),
    ifBusy: lease === "auto",
  }
}
