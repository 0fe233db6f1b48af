import type { Duration, Policy } from "../policy/policy.js"
import type { Decision } from "../types/decision.js"
import type {
  AllDecision,
  AllOptions,
  Awaitable,
  Checker,
  CheckItem,
  CheckOptions,
  KeyStats,
  KeyStatus,
} from "../types/limiter.js"
import type { Receipt } from "../types/receipt.js"

/**
 * The verbs of a limiter of one policy, wherever it keeps its counts: in memory they answer at once, elsewhere they
 * return promises.
 */
export interface Limiter extends Checker {
  readonly policy: Policy
  check(key: string, options?: CheckOptions): Awaitable<Decision>
  /** `check`, but only whether. */
  allow(key: string, options?: CheckOptions): Awaitable<boolean>
  /** What `check` would say, charging nothing. Of a denial the wait is without the block that one of `check` begins. */
  peek(key: string, options?: CheckOptions): Awaitable<Decision>
  /**
   * All or nothing.
   *
   * @throws {RangeError} where the items are none or more than 1,000, or one key comes twice; {LimitNotFound} where an
   * item names another limit
   */
  checkAll(items: readonly CheckItem[], options?: AllOptions): Awaitable<AllDecision>
  /** `checkAll`, but only whether. */
  allowAll(items: readonly CheckItem[], options?: AllOptions): Awaitable<boolean>
  /** Gives back units of a check, all of them if not told otherwise. A receipt settles once. */
  refund(receipt: Receipt, units?: number): Awaitable<void>
  /** Tells what a check cost in the end: less is refunded, more is charged as debt. A receipt settles once. */
  settle(receipt: Receipt, actualCost: number): Awaitable<void>
  /** Takes units whatever is left: a penalty, which may put the key into debt. */
  charge(key: string, units: number): Awaitable<void>
  /** Denies a key for a time from now, in place of an earlier block. */
  block(key: string, duration: Duration): Awaitable<void>
  /** Ends a block. Whether there was one that still lasted. */
  unblock(key: string): Awaitable<boolean>
  /** Makes a key's quota full, ends its block and closes its receipts. Whether there was anything to forget. */
  reset(key: string): Awaitable<boolean>
  /** A key's state without a check. */
  status(key: string): Awaitable<KeyStatus>
  stats(key: string): Awaitable<KeyStats>
}
