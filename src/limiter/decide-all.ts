import { type GroupItem, refuseRepeats } from "../policy/require-group.js"
import type { Decision } from "../types/decision.js"
import type { AllDecision, Checker, CheckOptions } from "../types/limiter.js"
import type { LimitChoice } from "./named-limits.js"
import { type AnyDecision, receiptsOf } from "./receipts.js"
import type { SyncLimiter } from "./sync-limiter.js"

/** One of several checks that are decided together, each by its own limiter. */
export interface AllPart<L extends Checker = SyncLimiter> extends GroupItem {
  readonly limiter: L
  readonly options: CheckOptions & LimitChoice
}

/**
 * Decides several checks together, at once: all are charged, or none is.
 *
 * What was admitted under its id before is told again. Where one or more would be denied, these alone are asked for real,
 * so that the denial counts in their statistics and starts the block of their policy; nothing is charged.
 *
 * @throws {RangeError} where two have the same subject; whatever `peek` throws, before any charge
 */
export function decideAll(items: readonly AllPart[]): AllDecision {
  refuseRepeats(items)
  const peeked = items.map(({ limiter, key, options }) => limiter.peek(key, options))
  if (peeked.some(({ allowed }) => !allowed)) {
    return allDecision(items.map((item, index) => (peeked[index]!.allowed ? peeked[index]! : check(item))))
  }
  const charged: Decision[] = []
  for (const [index, item] of items.entries()) {
    // A question that is answered with a receipt tells again what was charged before.
    const decision = peeked[index]!.receipt === undefined ? check(item) : peeked[index]!
    if (!decision.allowed) {
      // All would have admitted, so this one was denied for want of room: a charge of this same call took the last place.
      for (const [before, { receipt }] of charged.entries()) {
        if (receipt !== undefined && peeked[before]!.receipt === undefined) items[before]!.limiter.refund(receipt)
      }
      return allDecision(peeked.map((each, at) => (at === index ? decision : each)))
    }
    charged.push(decision)
  }
  return allDecision(charged)
}

function check({ limiter, key, options }: AllPart): Decision {
  return limiter.check(key, options)
}

/** The answer that several decisions make together. Beside a denial, one that is told again has no receipt. */
export function allDecision(decisions: readonly Decision[]): AllDecision {
  const denied = decisions.find(({ allowed }) => !allowed)
  return {
    allowed: denied === undefined,
    deniedKey: denied?.key ?? null,
    deniedPolicy: denied?.policy ?? null,
    decisions: denied === undefined ? decisions : decisions.map(leaveOutReceipt),
  }
}

/** An admission that stands, without its receipt: a caller who was denied has charged nothing that it could give back. */
export function leaveOutReceipt(decision: AnyDecision): AnyDecision {
  if (decision.receipt === undefined) return decision
  // Spreading leaves out a receipt that is a getter of the prototype.
  const { receipt: _receipt, ...rest } = { ...decision }
  return rest
}

/** An admission whose charge was given back, as data: without its receipts, and with what is there again. */
export function withoutReceipt(decision: AnyDecision): AnyDecision {
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
    ...(limits && { limits: limits.map(withoutReceipt) }),
  }
}
