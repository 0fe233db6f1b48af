import type { Decision } from "../types/decision.js"

/** Whether an admission would have to be held for longer than a time. */
export function isHeldFor({ allowed, delayMs }: Decision, maxDelayMs = Number.POSITIVE_INFINITY): boolean {
  return allowed && delayMs > maxDelayMs
}
