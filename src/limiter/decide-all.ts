import { type GroupItem, refuseRepeats } from "../policy/require-group.js"
import type { Decision } from "../types/decision.js"
import type { AllDecision, Checker, CheckOptions } from "../types/limiter.js"
import type { LimitChoice } from "./named-limits.js"
import { type AnyDecision, receiptsOf } from "./receipts.js"
import { isSynchronous, type SyncLimiter } from "./sync-limiter.js"

/** A check that is to be made, and whom to ask. */
export interface LimiterCheck<L extends Checker = SyncLimiter> {
  readonly limiter: L
  readonly key: string
  readonly options: CheckOptions & LimitChoice
}

/** One of several checks that are decided together, each by its own limiter. */
export interface AllPart<L extends Checker = SyncLimiter> extends GroupItem, LimiterCheck<L> {}

/** Whether a check is answered at once. */
export function answersAtOnce<Part extends LimiterCheck<Checker>>(part: Part): part is Part & LimiterCheck {
  return isSynchronous(part.limiter)
}

/**
 * Decides several checks together, at once: all are charged, or none is.
 *
 * @throws {RangeError} where two have the same subject; else as `decideTogether`
 */
export function decideAll(parts: readonly AllPart[]): AllDecision {
  refuseRepeats(parts)
  return decideTogether(parts)
}

/**
 * `decideAll` of checks that may have the same subject: each is charged.
 *
 * What was admitted under its id before is told again. Where one or more would be denied, these alone are asked for
 * real, so that the denial counts in their statistics and starts the block of their policy; nothing is charged.
 *
 * @throws whatever a limiter throws; then nothing is charged
 */
export function decideTogether(parts: readonly LimiterCheck[]): AllDecision {
  const peeked = parts.map(({ limiter, key, options }) => limiter.peek(key, options))
  if (peeked.some(({ allowed }) => !allowed)) {
    return allDecision(
      parts.map((part, index) => (peeked[index]!.allowed ? peeked[index]! : deny(part, peeked[index]!))),
    )
  }
  const decisions: Decision[] = []
  const charged = new Map<LimiterCheck, Decision>()
  let isAdmitted = false
  try {
    for (const [index, part] of parts.entries()) {
      // A question that is answered with a receipt tells again what was charged before.
      const isRepeated = peeked[index]!.receipt !== undefined
      const decision = isRepeated ? peeked[index]! : check(part)
      // All would have admitted, so this one is denied for want of room: a charge of this same call took the last
      // place.
      if (!decision.allowed) return allDecision(peeked.map((each, at) => (at === index ? decision : each)))
      if (!isRepeated) charged.set(part, decision)
      decisions.push(decision)
    }
    isAdmitted = true
    return allDecision(decisions)
  } finally {
    if (!isAdmitted) for (const [part, decision] of charged) giveBack(part, decision)
  }
}

/** A denial, asked for real. */
function deny(part: LimiterCheck, peeked: Decision): Decision {
  const decision = check(part)
  if (!decision.allowed) return decision
  // Its quota came back since it was peeked at. The others were not charged, so it must not be either.
  giveBack(part, decision)
  return peeked
}

function check({ limiter, key, options }: LimiterCheck): Decision {
  return limiter.check(key, options)
}

/** Where giving back fails, the charge stands: that is stricter than it should be, never looser. */
function giveBack({ limiter }: LimiterCheck, decision: Decision): void {
  try {
    for (const receipt of receiptsOf(decision)) limiter.refund(receipt)
  } catch {
    // As above. The decision, or the error, of the call is what its caller is to hear of.
  }
}

/**
 * The answer that several decisions make together. Beside a denial, one that is told again has no receipt.
 *
 * @param isDecided whether each decided at all, and was not only looked at beside the denial of another; default all
 */
export function allDecision(decisions: readonly Decision[], isDecided?: readonly boolean[]): AllDecision {
  const denied = decisions.find(({ allowed }, index) => !allowed && isDecided?.[index] !== false)
  return {
    allowed: denied === undefined,
    deniedKey: denied?.key ?? null,
    deniedPolicy: denied?.policy ?? null,
    decisions: denied === undefined ? decisions : decisions.map(leaveOutReceipt),
  }
}

/**
 * An admission that stands, without its receipt: a caller who was denied has charged nothing that it could give back.
 */
export function leaveOutReceipt(decision: AnyDecision): AnyDecision {
  if (decision.receipt === undefined) return decision
  // Spreading leaves out a receipt that is a getter of the prototype.
  const { receipt: _receipt, ...rest } = { ...decision }
  return rest
}

/** An admission whose charge was given back, as data: without its receipts, and with what is there again. */
export function asGivenBack(decision: AnyDecision): AnyDecision {
  const rest = leaveOutReceipt(decision)
  if (receiptsOf(decision).length === 0) return rest
  const { rules, remaining, cost, limits } = rest
  // Each limit of a group has its own cost, and its rules stand together.
  const costs = (limits ?? [decision]).flatMap((each) => (each.rules ?? [each]).map(() => each.cost))
  const before = rules?.map((rule, index) => ({ ...rule, remaining: rule.remaining + costs[index]! }))
  return {
    ...rest,
    remaining: remaining + cost,
    ...(before && { rules: before }),
    ...(limits && { limits: limits.map(asGivenBack) }),
  }
}
