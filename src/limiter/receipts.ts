import type { Decision } from "../types/decision.js"
import type { Receipt } from "../types/receipt.js"

/** A decision; that of a group has each limit's own with it. */
export type AnyDecision = Decision & { readonly limits?: readonly Decision[] }

/** The receipts of all that a decision charged: of a group, one for each of its limits. */
export function receiptsOf({ receipt, limits }: AnyDecision): readonly Receipt[] {
  if (limits !== undefined) return limits.flatMap(receiptsOf)
  return receipt === undefined ? [] : [receipt]
}
