import { receiptsOf } from "../limiter/receipts.js"
import type { Decision } from "../types/decision.js"
import type { RecentTexts } from "./recent-texts.js"

/** How many receipts are remembered at least that were told to calls with an id. */
export const TOLD_REMEMBERED = 8_192

/**
 * Idempotency of the counts: remembers the receipts of a decision on a call that has an id, so that an admission which is
 * told again is not counted again.
 *
 * @returns whether all that it charged, of a group too, was told before
 */
export function noteToldAgain(recent: RecentTexts, decision: Decision, id: string | undefined): boolean {
  if (id === undefined) return false
  const repeated = receiptsOf(decision).map((receipt) => recent.add(receipt.id))
  return repeated.length > 0 && repeated.every(Boolean)
}
