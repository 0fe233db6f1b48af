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

/** Whether a limiter's verbs answer at once. */
export function isSynchronous(limiter: object): limiter is SyncLimiter {
  return (limiter as Partial<SyncLimiter>).isSynchronous === true
}

/** Asks a limiter for another one. Where that refuses, its caller hears as from the limiter: at once, or by promise. */
export function askFor<Answer>(limiter: object, ask: () => Answer): Answer {
  try {
    return ask()
  } catch (error) {
    if (isSynchronous(limiter)) throw error
    return Promise.reject(error) as Answer
  }
}
