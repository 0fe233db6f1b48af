import { nextHoldMs } from "../limiter/next-hold.js"
import type { Decision } from "../types/decision.js"

/** An admission as it stands after a time in which nothing came. What came back meanwhile is not counted as left. */
export function laterAdmission(decision: Decision, elapsedMs: number): Decision {
  const { receipt: _receipt, rules: told, ...rest } = { ...decision }
  const afterMs = (ms: number) => Math.max(0, ms - elapsedMs)
  const rules = told?.map((rule) => ({ ...rule, resetAfterMs: afterMs(rule.resetAfterMs) }))
  const later = { resetAfterMs: afterMs(decision.resetAfterMs), delayMs: afterMs(decision.delayMs) }
  return { ...rest, ...later, ...(rules && { rules }) }
}

/** What the next request is told, where one was admitted that left enough for it. */
export function nextAdmission(decision: Decision): Decision {
  return { ...decision, delayMs: nextHoldMs(decision) }
}

/** Whether all rules have so much left. */
export function hasLeft(decision: Decision, cost: number): boolean {
  return (decision.rules ?? [decision]).every(({ remaining }) => remaining >= cost)
}
