import type { AnyDecision } from "../limiter/receipts.js"
import { decisionJson } from "./answers.js"
import { isoTime } from "./iso-time.js"

/**
 * The JSON text of a decision, as `JSON.stringify(decisionJson(…))` gives it but in half the time: it is what a server
 * writes most. Texts that somebody may have chosen are left to `JSON.stringify`; numbers and our own words need no
 * escapes.
 */
export function decisionText(decision: AnyDecision, nowMs: number): string {
  const { receipt, rules, limits, allowed, cost, remaining, algorithm, limit } = decision
  if (rules !== undefined || limits !== undefined) return JSON.stringify(decisionJson(decision, nowMs))
  const { retryAfterMs, resetAfterMs, delayMs, reason } = decision
  const key = JSON.stringify(decision.key)
  const policy = JSON.stringify(decision.policy)
  let receiptText = "null"
  if (receipt !== undefined) {
    const id = JSON.stringify(receipt.id)
    const of = `"key":${receipt.key === decision.key ? key : JSON.stringify(receipt.key)}`
    const under = `"policy":${receipt.policy === decision.policy ? policy : JSON.stringify(receipt.policy)}`
    receiptText = `{"id":${id},${of},${under},"cost":${receipt.cost},"charged_at_ms":${receipt.chargedAtMs}}`
  }
  return (
    `{"key":${key},"allowed":${allowed},"cost":${cost},"remaining":${remaining},` +
    `"reset_at":"${isoTime(nowMs + resetAfterMs)}","algorithm":"${algorithm}","limit":${limit},` +
    `"retry_after_ms":${retryAfterMs},"reset_after_ms":${resetAfterMs},"delay_ms":${delayMs},` +
    `"policy":${policy},"reason":"${reason}","receipt":${receiptText}}`
  )
}
