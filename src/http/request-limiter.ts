import type { AllDecision, Awaitable, Checker, CheckItem } from "../types/limiter.js"

/** Decides on several checks at once: all are charged, or none. */
export interface Group {
  checkAll(items: readonly CheckItem[]): Awaitable<AllDecision>
}

/**
 * What middleware asks of a limiter: to check and to refund. The rest is used where it is there: `charge` for penalties,
 * and `checkAll` or `group` to decide on several limits together.
 */
export interface RequestLimiter extends Checker {
  /** Takes units whatever is left: a penalty. */
  charge?(key: string, units: number): Awaitable<void>
  checkAll?(items: readonly CheckItem[]): Awaitable<AllDecision>
  /** Whoever holds this limit and others. Limits of one group are decided there together. */
  readonly group?: Group
  /** What this limit is called in its group. */
  readonly limitName?: string
  /** Makes the group ready to be asked for this limit. */
  prepare?(): Awaitable<void>
}
