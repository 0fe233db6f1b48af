import { receiptsOf } from "../limiter/receipts.js"
import type { RecentIds } from "../metrics/recent-ids.js"
import type { Decision } from "../types/decision.js"

/** Whether a decision on a call that has an id was told before: all that it charged, of a group too. */
export function isToldAgain(recent: RecentIds, decision: Decision, id: string | undefined): boolean {
  if (id === undefined) return false
  const repeated = receiptsOf(decision).map((receipt) => recent.isRepeated(receipt.id))
  return repeated.length > 0 && repeated.every(Boolean)
}
