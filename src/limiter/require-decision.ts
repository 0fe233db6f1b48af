import { unfit } from "../policy/require-fields.js"
import { isDecision } from "../types/is-decision.js"

/** The error of an answer that is no decision. */
export function unfitAnswer(act: string, answer: unknown, field = "the limiter's answer"): RangeError {
  return unfit(act, field, answer, "the decision of a check")
}

/** @throws {RangeError} where it is no decision, naming the field */
export function requireDecision(act: string, answer: unknown, field?: string): void {
  if (!isDecision(answer)) throw unfitAnswer(act, answer, field)
}
