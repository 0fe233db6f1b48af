import type { Decision } from "../../src/types/decision.js"
import type { Awaitable, Checker, CheckOptions } from "../../src/types/limiter.js"
import type { Receipt } from "../../src/types/receipt.js"
import { makeDecision } from "../make-decision.js"

/** A decision as a limiter of `"10/minute"` gives it, but for what is told otherwise. */
export function decisionOf(told: Partial<Decision> = {}): Decision {
  return makeDecision({ key: "k", limit: 10, remaining: 9, resetAfterMs: 6_000, ...told })
}

export function denialOf(told: Partial<Decision> = {}): Decision {
  return decisionOf({
    allowed: false,
    remaining: 0,
    retryAfterMs: 4_001,
    resetAfterMs: 60_000,
    reason: "limit",
    ...told,
  })
}

export const RECEIPT: Receipt = { id: "r1", key: "k", policy: "default", cost: 1, chargedAtMs: 0 }

/** A limiter that answers what it is told and notes what it was asked. */
export class FakeLimiter implements Checker {
  readonly checks: { key: string; cost: number | undefined }[] = []
  readonly refunds: Receipt[] = []
  readonly #answer: (key: string) => Awaitable<Decision>
  refundError: Error | undefined

  constructor(answer: (key: string) => Awaitable<Decision>) {
    this.#answer = answer
  }

  check(key: string, options?: CheckOptions): Awaitable<Decision> {
    this.checks.push({ key, cost: options?.cost })
    return this.#answer(key)
  }

  async refund(receipt: Receipt): Promise<void> {
    this.refunds.push(receipt)
    if (this.refundError) throw this.refundError
  }
}
