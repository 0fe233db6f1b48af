import type { Rule } from "../../src/policy/policy.js"
import { floorDiv, MAXIMUM_USED, max, min } from "./exact-math.js"
import type { RuleOracle } from "./rule-oracle.js"
import { provenWait } from "./smallest-wait.js"

/** Units charged in the window [start, start + length). */
export interface WindowState {
  readonly start: bigint
  readonly count: bigint
}

/** `fixed_window`, on the epoch's grid or from a key's first charge. */
export function fixedWindow(rule: Rule): RuleOracle<WindowState> {
  const length = BigInt(rule.periodMs)
  const limit = BigInt(rule.capacity)
  const offset = BigInt(rule.offsetMs)

  /** The start of the window that a first charge at `at` would open. */
  const startOf = (at: bigint) => (rule.anchor === "first" ? at : floorDiv(at - offset, length) * length + offset)
  const covers = (state: WindowState, at: bigint) => at >= state.start && at < state.start + length
  const used = (state: WindowState | null, at: bigint) => (state !== null && covers(state, at) ? state.count : 0n)
  const admits = (state: WindowState | null, units: bigint, at: bigint) => used(state, at) + units <= limit
  const untilEnd = (state: WindowState | null, at: bigint) => (state === null ? 0n : state.start + length - at)

  return {
    fullRefillMs: length,
    mostUnits: (spanMs) => limit * (spanMs / length + 2n),
    lastMs: (state) => state.start,
    used,
    admits,
    charge: (state, units, at) => ({
      start: state !== null && covers(state, at) ? state.start : startOf(at),
      count: min(used(state, at) + units, MAXIMUM_USED),
    }),
    refund(state, units, chargedAt, at) {
      if (!covers(state, at) || !covers(state, chargedAt)) return state
      const count = max(0n, state.count - units)
      return count === 0n ? null : { start: state.start, count }
    },
    retryAfter: (state, units, at) =>
      provenWait(admits(state, units, at) ? 0n : untilEnd(state, at), (wait) => admits(state, units, at + wait)),
    resetAfter: (state, at) =>
      provenWait(used(state, at) === 0n ? 0n : untilEnd(state, at), (wait) => used(state, at + wait) === 0n),
    // For one whole length: on the grid, what was used would be forgotten where the window that contains `nowMs` ends.
    healed: (state, nowMs) => ({ start: nowMs, count: state.count }),
    delay: () => 0n,
  }
}
