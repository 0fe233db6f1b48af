import type { Decision } from "../types/decision.js"

/** How long a request that comes next would be held: until every leaky bucket is empty. */
export function nextHoldMs({ algorithm, resetAfterMs, rules }: Decision): number {
  if (!rules) return algorithm === "leaky_bucket" ? resetAfterMs : 0
  return Math.max(0, ...rules.map((rule) => (rule?.algorithm === "leaky_bucket" ? rule.resetAfterMs : 0)))
}

/**
 * The turn of a request that was admitted: for how long after it leaves the next one may not. 0 where that is not told,
 * as by a limiter of somebody's own.
 */
export function turnMsOf(decision: Decision): number {
  const ms = nextHoldMs(decision) - decision.delayMs
  return ms > 0 && ms < Number.POSITIVE_INFINITY ? ms : 0
}
