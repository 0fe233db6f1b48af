import { type Drawn, type DrawRequest, unitsToCharge } from "../src/edge/lease-draw.js"
import { InternalCall } from "../src/ledger/call-name.js"
import { tellsDelay } from "../src/policy/tells-delay.js"
import type { Decision } from "../src/types/decision.js"
import type { Receipt } from "../src/types/receipt.js"
import type { ObjectCounts } from "./object-counts.js"
import type { LimitToChange } from "./object-limits.js"
import { toldDecision } from "./told-decision.js"

/**
 * Takes back what earlier draws of a key left, and draws units of it: those of a check and those that are to be spent
 * elsewhere.
 *
 * @returns when what was charged is durable
 */
export async function drawUnits(
  asked: LimitToChange,
  key: string,
  request: DrawRequest,
  counts: ObjectCounts,
): Promise<Drawn> {
  const { ledger, limit, nowMs, sent } = asked
  const { cost, giveBack } = request
  const id = new InternalCall(request.id)
  // Who draws under an older policy does not know that requests of units which were drawn ahead cannot be spaced.
  const wanted = tellsDelay(limit.policy) ? { ...request, demand: 0, units: 0 } : request
  for (const { receipt, units: unused } of giveBack) settleIfOurs(asked, receipt, unused)
  const left = remainingUnits(limit.openKeys().peek(key, 0, nowMs))
  // A draw that is repeated finds less left than it did, and is told what it was granted.
  const units = ledger.costUnder(limit, key, nowMs, id) ?? unitsToCharge(wanted, left, counts.isBusy(nowMs))
  const answer = ledger.check(limit, key, units, nowMs, id)
  counts.call(nowMs, [answer], Math.max(1, answer.decision.cost / Math.max(1, cost)))
  const decision = toldDecision(answer.decision, limit, sent, nowMs)
  // Under a policy with a `block` those who wait ask for themselves: a denial that no check was told begins none.
  const lacks = decision.allowed && units < cost + wanted.demand && limit.policy.blockMs === 0
  const next = lacks ? toldDecision(limit.openKeys().peek(key, Math.max(1, cost), nowMs), limit, sent, nowMs) : null
  if (answer.needsCommit || giveBack.length > 0) await ledger.commit()
  return { decision, denial: next?.allowed === false ? next : null }
}

/** The units that a check could take now, whichever rule it is that binds. */
function remainingUnits({ allowed, remaining, rules }: Decision): number {
  if (!allowed) return 0
  return rules === undefined ? remaining : Math.min(...rules.map((rule) => rule.remaining))
}

/** Units that were granted before a wipe were full again anyway. */
function settleIfOurs({ ledger, limit, nowMs }: LimitToChange, receipt: Receipt, units: number): void {
  if (limit.openKeys().chargeNumberOf(receipt.id) !== null) ledger.settle(limit, receipt, units, nowMs)
}
