import type { Duration, Policy, PolicyInput } from "../policy/policy.js"
import type { Decision } from "../types/decision.js"
import type {
  AllDecision,
  AllOptions,
  Awaitable,
  CheckItem,
  CheckOptions,
  KeyEvent,
  KeyStats,
  KeyStatus,
} from "../types/limiter.js"
import type { Receipt } from "../types/receipt.js"

/**
 * Which limit a verb is about. Without `limit`, a key has the limit that was defined under the key's own name; where
 * there is none, the default limit; where there is no default, the verb fails with `LimitNotFound`.
 *
 * So whoever chooses a key chooses a limit, where a limit has that name: one who calls himself `"premium"` gets that of
 * `"premium"`. Name the limit where keys come from outside, or give them a prefix that no limit's name has, as
 * `"user:"`.
 */
export interface LimitChoice {
  readonly limit?: string | undefined
}

/** The name of the default limit: the one under which keys count that have no limit of their own. */
export const DEFAULT_LIMIT = "default"

/** The most keys that `top` tells where no count is given. */
export const DEFAULT_TOP = 10

/** The most events that `history` tells where no count is given. */
export const DEFAULT_HISTORY = 100

/** A limit by its name: one that many keys share, or the own limit of the key of that name. */
export interface NamedLimit {
  readonly name: string
  readonly policy: Policy
}

/** An event in the life of a key, as the log has it. */
export interface HistoryEntry {
  /** Of a denial that came several times in a row, when the last was; of a refund, the time at which it counts. */
  readonly atMs: number
  readonly event: KeyEvent
  readonly key: string
  readonly limit: string
  /** Units asked for, charged or given back, also where some of these had leaked away; 0 where the event has none. */
  readonly units: number
  /**
   * How often the same denial came in a row: with no other event of the key, nor a definition of its limit, in between.
   * 1 for everything else.
   */
  readonly count: number
}

/** A key among those that were allowed or denied most. */
export interface TopEntry {
  readonly key: string
  readonly limit: string
  readonly stats: KeyStats
}

/** Why a check of a key would be answered as it would be now. */
export interface Explanation {
  readonly limit: string
  readonly policy: Policy
  /** What `check` would say, with every rule's own decision. */
  readonly decision: Decision
  readonly status: KeyStatus
  /**
   * When a check of this cost is admitted if nothing else comes, milliseconds since the epoch; `null` where no wait
   * helps, as for a key on a configuration's `deny` list.
   */
  readonly nextAdmissionAtMs: number | null
  /** The rule that binds most, in words. */
  readonly because: string
  /** The key's last 10 events, newest first. */
  readonly recent: readonly HistoryEntry[]
}

/**
 * A walk through a listing: `after` is the last one of the page before, `count` the most entries to tell, a whole
 * number from 0 or `Infinity`.
 */
export interface Page {
  readonly after?: string | undefined
  readonly count?: number | undefined
}

/** Which keys `top` tells: those of one limit, or of all. */
export interface TopOptions extends LimitChoice {
  readonly by: "allowed" | "denied"
  /** The most keys to tell; default 10. */
  readonly count?: number | undefined
}

/** Which events of a key `history` tells. */
export interface HistoryOptions extends LimitChoice {
  /** The most events to tell; default 100. */
  readonly count?: number | undefined
}

/**
 * The verbs over several named limits, and over keys with limits of their own: the embedded limiter, a configuration in
 * memory, and the Worker's limits all have them.
 */
export interface NamedLimits {
  /** Defines a limit, or puts another policy in its place: what was used stays used, capped at the new capacity. */
  define(name: string, policy: PolicyInput): Awaitable<NamedLimit>
  /** Forgets a limit and all its keys' counts. Whether there was one. @throws {KeyError} where the name is no text */
  remove(name: string): Awaitable<boolean>
  limits(page?: Page): Awaitable<readonly NamedLimit[]>
  /** A limit by its name, or `null`. @throws {KeyError} where the name is no text */
  limit(name: string): Awaitable<NamedLimit | null>

  check(key: string, options?: CheckOptions & LimitChoice): Awaitable<Decision>
  allow(key: string, options?: CheckOptions & LimitChoice): Awaitable<boolean>
  peek(key: string, options?: CheckOptions & LimitChoice): Awaitable<Decision>
  /**
   * All or nothing. @throws {RangeError} where the items are none or more than 1,000, or one key and limit come twice
   */
  checkAll(items: readonly CheckItem[], options?: AllOptions): Awaitable<AllDecision>
  /** `checkAll`, but only whether. */
  allowAll(items: readonly CheckItem[], options?: AllOptions): Awaitable<boolean>
  refund(receipt: Receipt, units?: number): Awaitable<void>
  settle(receipt: Receipt, actualCost: number): Awaitable<void>
  charge(key: string, units: number, choice?: LimitChoice): Awaitable<void>
  block(key: string, duration: Duration, choice?: LimitChoice): Awaitable<void>
  /** Ends a block. Whether there was one that still lasted. */
  unblock(key: string, choice?: LimitChoice): Awaitable<boolean>
  reset(key: string, choice?: LimitChoice): Awaitable<boolean>
  status(key: string, choice?: LimitChoice): Awaitable<KeyStatus>
  stats(key: string, choice?: LimitChoice): Awaitable<KeyStats>

  /** Keys that are known by name, in their order. */
  list(choice?: LimitChoice & Page): Awaitable<readonly string[]>
  /** The keys with the most checks allowed or denied, most first: 10 where no count is given. */
  top(options: TopOptions): Awaitable<readonly TopEntry[]>
  /** A key's last events, newest first: 100 where no count is given. */
  history(key: string, options?: HistoryOptions): Awaitable<readonly HistoryEntry[]>
  explain(key: string, options?: Pick<CheckOptions, "cost"> & LimitChoice): Awaitable<Explanation>
}
