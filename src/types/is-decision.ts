import type { Decision } from "./decision.js"

/** Whether what a limiter of somebody's own answered has what every decision is made of. */
export function isDecision(answer: unknown): answer is Decision {
  const { policy, allowed, limit, rules } = (answer ?? {}) as Partial<Decision>
  return (
    typeof policy === "string" && typeof allowed === "boolean" && Number.isFinite(limit) && Array.isArray(rules ?? [])
  )
}
