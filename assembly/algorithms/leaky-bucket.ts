import { Rule } from "../rule"
import { reset } from "./arrival-time"

/* leaky_bucket is an arrival time: what is admitted leaves at N/P units per millisecond, so each admission has a delay. */

/** How long to hold what is admitted now: ⌈max(0, TAT − N·now)/N⌉ before its charge. */
export function delay(rule: Rule, state: usize, nowMs: i64): i64 {
  return reset(rule, state, nowMs)
}
