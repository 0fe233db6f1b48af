import type { AnyDecision } from "./receipts.js"

/** The limits that decided of a group, in the order of the decision's `limits`. */
const names = new WeakMap<AnyDecision, readonly string[]>()

/** Notes which limits made a group's decision: that itself tells of each the names of its rules alone. */
export function noteLimitNames(decision: AnyDecision, limits: readonly string[]): void {
  names.set(decision, limits)
}

/** One limit's decision, and the name by which it was asked; `undefined` where none was named. */
export interface OwnDecision {
  readonly decision: AnyDecision
  readonly asked: string | undefined
}

/**
 * What each limit decided for itself. Of a group that is denied, those alone that denied: the others were not charged,
 * so they neither admitted nor denied.
 *
 * @param asked the limit or the group that was asked by name
 */
export function ownDecisions(decision: AnyDecision, asked: string | undefined): readonly OwnDecision[] {
  const limits = names.get(decision)
  if (limits === undefined) return [{ decision, asked }]
  return decision
    .limits!.map((own, index) => ({ decision: own, asked: limits[index] }))
    .filter(({ decision: own }) => decision.allowed || !own.allowed)
}
