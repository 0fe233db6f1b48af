import { show } from "../types/errors.js"
import { requireWhole } from "./require-fields.js"

/** The most checks that are decided together: more would be one long transaction. */
export const MAX_TOGETHER = 1_000

/** One of several checks that are decided together. */
export interface GroupItem {
  readonly key: string
  /** The same text for the same key of the same limit, another one for every other. */
  readonly subject: string
}

/** @throws {RangeError} where so many checks cannot be decided together */
export function requireGroupSize(count: number): void {
  requireWhole("check all", "items.length", count, 1, MAX_TOGETHER)
}

/** @throws {RangeError} where two have the same subject */
export function refuseRepeats(items: readonly GroupItem[]): void {
  const subjects = new Set<string>()
  for (const { subject, key } of items) {
    if (subjects.has(subject)) {
      throw new RangeError(`Cannot check all: key ${show(key)} comes twice under the same limit, allowed is once.`)
    }
    subjects.add(subject)
  }
}
