import type { Decision } from "../types/decision.js"
import type { AllDecision, Awaitable, Checker, CheckItem, CheckOptions } from "../types/limiter.js"

/** Decides on several checks at once: all are charged, or none. */
export interface Group {
  /** @param limiters who would be asked for each item alone */
  checkAll(items: readonly CheckItem[], limiters: readonly RequestLimiter[]): Awaitable<AllDecision>
}

/**
 * What middleware asks of a limiter: to check and to refund. The rest is used where it is there: `charge` for penalties,
 * `checkAll` or `group` to decide on several limits together, and `peek` to tell of a limit beside the denial of another.
 */
export interface RequestLimiter extends Checker {
  /** Takes units whatever is left: a penalty. */
  charge?(key: string, units: number): Awaitable<void>
  peek?(key: string, options?: CheckOptions): Awaitable<Decision>
  checkAll?(items: readonly CheckItem[]): Awaitable<AllDecision>
  /** Whoever holds this limit and others. Limits of one group are decided there together. */
  readonly group?: Group
  /** What this limit is called in its group. */
  readonly limitName?: string
  /** Makes the group ready to be asked for this limit. */
  prepare?(): Awaitable<void>
}
