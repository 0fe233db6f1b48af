import type { Decision } from "../types/decision.js"
import type { Checker, CheckOptions } from "../types/limiter.js"
import type { Receipt } from "../types/receipt.js"

/** A limiter whose verbs answer at once, and that says so. */
export interface SyncLimiter extends Checker {
  readonly isSynchronous: true
  check(key: string, options?: CheckOptions): Decision
  peek(key: string, options?: CheckOptions): Decision
  refund(receipt: Receipt, units?: number): void
}
