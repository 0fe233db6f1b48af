import type { RecentTexts } from "../lib/recent-texts.js"
import type { Decision } from "../types/decision.js"

/** How many receipts are remembered at least that were told to calls with an id. */
export const TOLD_REMEMBERED = 8_192

/**
 * Idempotency of the counts: remembers the receipt of a limit's decision on a call that has an id, so that an admission
 * which is told again is not counted again.
 *
 * @returns whether it was told before
 */
export function noteToldAgain(recent: RecentTexts, decision: Decision, id: string | undefined): boolean {
  if (id === undefined) return false
  const { receipt } = decision
  return receipt !== undefined && recent.add(receipt.id)
}
