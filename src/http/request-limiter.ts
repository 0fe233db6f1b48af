import type { Decision } from "../types/decision.js"
import type { AllDecision, Awaitable, Checker, CheckItem, CheckOptions } from "../types/limiter.js"

/** Decides on several checks at once: all are charged, or none. */
export interface Group {
  checkAll(items: readonly CheckItem[], asking: GroupAsking): Awaitable<AllDecision>
}

/** How a group is asked. */
export interface GroupAsking {
  /** Who would be asked for each item alone. */
  readonly limiters: readonly RequestLimiter[]
  /**
   * The longest time that the request may be held; 0 where nothing is held at all. A group may charge it all the same.
   */
  readonly maxDelayMs: number
}

/**
 * What middleware asks of a limiter: to check and to refund. The rest is used where it is there: `charge` for
 * penalties, `checkAll` or `group` to decide on several limits together, and `peek` to tell of a limit beside the
 * denial of another.
 */
export interface RequestLimiter extends Checker {
  /** Takes units whatever is left: a penalty. */
  charge?(key: string, units: number): Awaitable<void>
  peek?(key: string, options?: CheckOptions): Awaitable<Decision>
  /** As `check`, but charges nothing where the request would be held for longer: the decision then tells that delay. */
  checkWithin?(key: string, cost: number, maxDelayMs: number): Awaitable<Decision>
  checkAll?(items: readonly CheckItem[]): Awaitable<AllDecision>
  /** Whoever holds this limit and others. Limits of one group are decided there together. */
  readonly group?: Group
  /** What this limit is called in its group. */
  readonly limitName?: string
  /** Makes the group ready to be asked for this limit. */
  prepare?(): Awaitable<void>
}
