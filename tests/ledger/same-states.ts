import type { LedgerState } from "../../src/ledger/ledger-state.js"
import { compareStates } from "../../src/ledger/state-comparison.js"

/** What `compareStates` finds, all at once. */
export function areSame(one: LedgerState, other: LedgerState): boolean | null {
  const steps = compareStates(one.saveAll(), other)
  for (;;) {
    const { done, value } = steps.next()
    if (done) return value
  }
}
