import type { Decision } from "../types/decision.js"
import type { AnyDecision } from "./receipts.js"
import { requireDecision } from "./require-decision.js"

/**
 * A decision as plain data, with its receipt: what `structuredClone`, `postMessage` and a spread take whole. Of a group
 * each limit's own decision in `limits` is copied too.
 *
 * @throws {RangeError} where it is no decision, as without the `await` of a check that answers by promise
 * @example
 * ```ts
 * import { copyDecision, RateLimiter } from "sluice"
 *
 * const decision = new RateLimiter("1/minute").check("user:42")
 * structuredClone(decision).receipt // undefined
 * structuredClone(copyDecision(decision)).receipt?.cost // 1
 * ```
 */
export function copyDecision<Told extends Decision>(decision: Told): Told {
  requireDecision("copy a decision", decision, "decision")
  const { receipt, limits } = decision as AnyDecision
  return {
    ...decision,
    // Spreading leaves out one that is a getter of the prototype.
    ...(receipt && { receipt }),
    ...(limits && { limits: limits.map((each) => copyDecision(each)) }),
  }
}
