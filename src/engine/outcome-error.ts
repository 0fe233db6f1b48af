import { maximumCost } from "../policy/maximum-cost.js"
import type { Rule } from "../policy/policy.js"
import { MAX_UNITS } from "../policy/policy-range.js"
import { isWhole, unfitWhole } from "../policy/require-fields.js"
import { CostError } from "../types/errors.js"
import { TimeError } from "../types/time-error.js"
import { MAX_TIME_MS, OUTCOME } from "./core-exports.js"

/** The error of a call that the core did not answer by a decision: of its cost, its time or its units. */
export function outcomeError(
  outcome: number,
  rules: readonly Rule[],
  key: string,
  units: number,
  nowMs: number,
): CostError | RangeError {
  if (outcome === OUTCOME.costAboveCapacity) return new CostError(key, units, maximumCost(rules))
  return timeError(nowMs) ?? unfitWhole("take units", "units", units, 0, MAX_UNITS)
}

/** The error of a time that the core cannot compute with; `null` where it can. */
export function timeError(nowMs: number): TimeError | null {
  return isWhole(nowMs, 0, MAX_TIME_MS)
    ? null
    : new TimeError(unfitWhole("decide", "nowMs", nowMs, 0, MAX_TIME_MS).message)
}
