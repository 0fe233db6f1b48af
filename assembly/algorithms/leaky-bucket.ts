import { Rule } from "../rule"
import { reset } from "./arrival-time"

/*
 * leaky_bucket shapes: what is admitted leaves at N/P units per millisecond, so each admission also has a delay.
 * The level of the bucket is how far the arrival time lies ahead.
 */
export { fullMs, wait, charge, remaining, reset, used, refund, heal } from "./arrival-time"

/** How long to hold what is admitted now: ⌈max(0, TAT − N·now)/N⌉ before its charge. */
export function delay(rule: Rule, state: usize, nowMs: i64): i64 {
  return reset(rule, state, nowMs)
}
