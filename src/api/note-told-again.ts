import { receiptsOf } from "../limiter/receipts.js"
import type { RecentIds } from "../metrics/recent-ids.js"
import type { Decision } from "../types/decision.js"

/** Remembers a decision on a call that has an id. @returns whether all that it charged, of a group too, was told before */
export function noteToldAgain(recent: RecentIds, decision: Decision, id: string | undefined): boolean {
  if (id === undefined) return false
  const repeated = receiptsOf(decision).map((receipt) => recent.noteRepeat(receipt.id))
  return repeated.length > 0 && repeated.every(Boolean)
}
