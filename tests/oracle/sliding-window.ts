import type { Rule } from "../../src/policy/policy.js"
import { MAXIMUM_USED, max, min } from "./exact-math.js"
import type { RuleOracle } from "./rule-oracle.js"
import { searchWait } from "./smallest-wait.js"

/** Units charged in the window of this index and in the one before it, and the time of the last change. */
export interface SlidingState {
  readonly window: bigint
  readonly current: bigint
  readonly previous: bigint
  readonly last: bigint
}

/** `sliding_window`: the previous window counts by the share of it that still lies within one length. */
export function slidingWindow(rule: Rule): RuleOracle<SlidingState> {
  const length = BigInt(rule.periodMs)
  const limit = BigInt(rule.capacity)

  /** The state with the windows of `at` as its current and previous ones. */
  function rolled(state: SlidingState | null, at: bigint): SlidingState {
    const window = at / length
    if (state === null || window > state.window + 1n) return { window, current: 0n, previous: 0n, last: at }
    if (window === state.window + 1n) return { window, current: 0n, previous: state.current, last: at }
    return { ...state, last: at }
  }
  function used(state: SlidingState | null, at: bigint): bigint {
    if (state === null) return 0n
    const { window, current, previous } = rolled(state, at)
    return current + (previous * (length - (at - window * length))) / length
  }
  const admits = (state: SlidingState | null, units: bigint, at: bigint) => used(state, at) + units <= limit

  return {
    fullRefillMs: 2n * length,
    mostUnits: (spanMs) => limit * (spanMs / length + 2n),
    lastMs: (state) => state.last,
    used,
    admits,
    charge(state, units, at) {
      // What is used up to less than a unit is a full quota, and a full quota is no state.
      const now = rolled(used(state, at) === 0n ? null : state, at)
      return { ...now, current: min(now.current + units, MAXIMUM_USED) }
    },
    refund(state, units, chargedAt, at) {
      const now = rolled(state, at)
      const age = now.window - chargedAt / length
      const current = age === 0n ? max(0n, now.current - units) : now.current
      const previous = age === 1n ? max(0n, now.previous - units) : now.previous
      const isChanged = current !== now.current || previous !== now.previous
      const refunded = isChanged ? { ...now, current, previous } : state
      // Also where nothing was given back: a full quota is no state.
      return used(refunded, at) === 0n ? null : refunded
    },
    retryAfter: (state, units, at) => searchWait(2n * length, (wait) => admits(state, units, at + wait)),
    resetAfter: (state, at) => searchWait(2n * length, (wait) => used(state, at + wait) === 0n),
    healed(state, nowMs) {
      const current = min(used(state, state.last), MAXIMUM_USED)
      return { window: nowMs / length, current, previous: 0n, last: nowMs }
    },
    delay: () => 0n,
  }
}
