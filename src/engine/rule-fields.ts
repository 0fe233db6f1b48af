import type { Rule } from "../policy/policy.js"
import type { Algorithm } from "../types/algorithm.js"

/** The core's number of each algorithm; part of the ABI and of stored snapshots. */
const ALGORITHM_NUMBER: Record<Algorithm, number> = {
  gcra: 0,
  token_bucket: 1,
  leaky_bucket: 2,
  fixed_window: 3,
  sliding_window: 4,
  sliding_window_log: 5,
}
const TOKEN_BUCKET_STEPS = 6
const ANCHOR_FIRST = -1

/** The greatest common divisor of two whole numbers ≥ 1 (Euclid). */
function greatestCommonDivisor(a: number, b: number): number {
  while (b !== 0) [a, b] = [b, a % b]
  return a
}

/**
 * A rule as the eight numbers that the core reads: algorithm, capacity, N, P, period, offset, step amount, step time.
 * N/P is the rate in units per millisecond in lowest terms.
 */
export function ruleFields(rule: Rule): readonly number[] {
  const divisor = greatestCommonDivisor(rule.limit, rule.periodMs)
  return [
    rule.refill === null ? ALGORITHM_NUMBER[rule.algorithm] : TOKEN_BUCKET_STEPS,
    rule.capacity,
    rule.limit / divisor,
    rule.periodMs / divisor,
    rule.periodMs,
    rule.anchor === "first" ? ANCHOR_FIRST : rule.offsetMs,
    rule.refill?.amount ?? 0,
    rule.refill?.everyMs ?? 0,
  ]
}
