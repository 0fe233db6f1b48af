import { TEXT, unfit } from "../policy/require-fields.js"
import type { Decision } from "../types/decision.js"

/** Whether what a limiter of somebody's own answered has what every decision is made of. */
export function isDecision(answer: unknown): answer is Decision {
  const { policy, allowed, limit, rules } = (answer ?? {}) as Partial<Decision>
  return TEXT.fits(policy) && typeof allowed === "boolean" && Number.isFinite(limit) && Array.isArray(rules ?? [])
}

/** The error of an answer that is no decision. */
export function unfitAnswer(act: string, answer: unknown, field = "the limiter's answer"): RangeError {
  return unfit(act, field, answer, "the decision of a check")
}

/** @throws {RangeError} where it is no decision, naming the field */
export function requireDecision(act: string, answer: unknown, field?: string): void {
  if (!isDecision(answer)) throw unfitAnswer(act, answer, field)
}
