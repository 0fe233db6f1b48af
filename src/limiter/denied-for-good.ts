import type { Decision } from "../types/decision.js"

/** Whether it is a denial for which no wait helps, as of a key on a list. */
export function isDeniedForGood({ reason, retryAfterMs }: Decision): boolean {
  return reason === "blocked" && retryAfterMs === 0
}
