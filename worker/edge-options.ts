import type { SyncMode } from "../src/ledger/sync-mode.js"
import type { DenialCache } from "../src/limiter/denial-cache.js"
import { type DurationRange, parseDurationArgument } from "../src/policy/parse-duration.js"
import type { Duration } from "../src/policy/policy.js"
import { show } from "../src/types/errors.js"
import type { Placement } from "./object-calls.js"

/**
 * Units of a hot key that an isolate draws at once and spends without a call.
 *
 * A check that costs more than a quarter of `units`, and more than 1, is asked of the object all the same. What was
 * spent from a lease can be refunded while the lease lasts, at most `ttl`; afterwards its units come back with time.
 */
export interface LeaseOptions {
  /** The most units drawn at once, 1 … 2^31; fewer are drawn while fewer are used. Default 1,000. */
  readonly units?: number
  /** How long drawn units may be spent, 1 ms … 20 s; default `"2s"`. What is left is given back before. */
  readonly ttl?: Duration
}

export interface EdgeLimiterOptions extends Placement {
  /**
   * What sets the keys of this limit apart from those of others in the same namespace, printable ASCII. Under one name
   * the objects take a changed policy over with what was used; so give two limits two names. The default is the name of
   * the policy's only rule where it has one, else the policy itself: then a changed policy starts with fresh keys.
   */
  readonly name?: string
  /** Whose limit it is, any text: each tenant has objects of its own under the same name. */
  readonly tenant?: string
  /**
   * Puts all keys into so many objects by hash, 1 … 10,000, in place of one object for each. It must not change: a key
   * would start anew.
   */
  readonly shards?: number
  /**
   * Puts the keys of all limits with the same owner into one object, where `checkAll` decides them in one transaction:
   * a text, or a function of the key. Not together with `shards`.
   */
  readonly owner?: string | ((key: string) => string)
  /**
   * When an admission may be told: `"always"` (default) when its charge is on disk, `"ahead"` when a block of units that
   * covers it is, `"batch"` at once.
   */
  readonly sync?: SyncMode
  /** Where denials are remembered; default one for the whole namespace. `false` asks the object each time. */
  readonly denialCache?: DenialCache | false
  /** Draws units of hot keys ahead. `"auto"` only of keys of which their object says that they are. Default: not. */
  readonly lease?: LeaseOptions | "auto"
  /** How long an object may take to answer, ms, 1 … 2^31 − 1. Default: as long as it takes; in `checkAll` 5,000. */
  readonly timeoutMs?: number
  /**
   * Lets work go on when the request is answered, such as `waitUntil` of `cloudflare:workers`, so that leases of idle
   * keys are given back. The middleware does so by itself.
   */
  readonly background?: (work: Promise<unknown>) => void
}

const TTL_RANGE: DurationRange = { minMs: 1, maxMs: 20_000 }
const DEFAULT_LEASE = { units: 1_000, ttl: "2s" } as const

/** @throws {RangeError} naming the option, its value and what is allowed */
export function requireEdgeOptions(name: string, options: EdgeLimiterOptions): void {
  const { tenant, shards, owner, sync, timeoutMs } = options
  requireOption("name", name, typeof name === "string" && /^[ -~]+$/.test(name), "printable ASCII, not empty")
  requireOption("tenant", tenant, isTextOrAbsent(tenant), "a well-formed text, not empty")
  requireOption("shards", shards, isWholeOrAbsent(shards, 10_000), "1 to 10000")
  requireOption(
    "owner",
    owner,
    typeof owner === "function" || isTextOrAbsent(owner),
    "a text, or a function of the key",
  )
  requireOption("owner", owner, owner === undefined || shards === undefined, "one of owner and shards")
  const isMode = sync === undefined || sync === "always" || sync === "ahead" || sync === "batch"
  requireOption("sync", sync, isMode, '"always", "ahead" or "batch"')
  requireOption("timeoutMs", timeoutMs, isWholeOrAbsent(timeoutMs, 2 ** 31 - 1), `1 to ${2 ** 31 - 1}`)
}

/** @throws {RangeError} naming the option, its value and what is allowed */
export function readLease(lease: LeaseOptions | "auto" | undefined): {
  readonly units: number
  readonly ttlMs: number
  readonly ifBusy: boolean
} | null {
  if (lease === undefined) return null
  const { units = DEFAULT_LEASE.units, ttl = DEFAULT_LEASE.ttl } = lease === "auto" ? DEFAULT_LEASE : lease
  requireOption("lease.units", units, isWholeOrAbsent(units, 2 ** 31), `1 to ${2 ** 31}`)
  return {
    units,
    ttlMs: parseDurationArgument("make a limiter", "lease.ttl", ttl, TTL_RANGE),
    ifBusy: lease === "auto",
  }
}

function requireOption(option: string, value: unknown, isAllowed: boolean, allowed: string): void {
  if (!isAllowed) throw new RangeError(`Cannot make a limiter: ${option} is ${show(value)}, allowed is ${allowed}.`)
}

function isTextOrAbsent(value: unknown): boolean {
  return value === undefined || (typeof value === "string" && value !== "" && value.isWellFormed())
}

function isWholeOrAbsent(value: unknown, most: number): boolean {
  return value === undefined || (Number.isInteger(value) && (value as number) >= 1 && (value as number) <= most)
}
