import { withoutReceipt } from "../limiter/decide-all.js"
import { maximumCost } from "../policy/maximum-cost.js"
import type { Policy } from "../policy/policy.js"
import type { Decision, Reason } from "../types/decision.js"
import { CostError, show } from "../types/errors.js"
import { askLimits, type Charge, giveBack, type Question } from "./ask-limits.js"
import { limitHold } from "./limit-hold.js"
import type { FailMode } from "./limit-options.js"
import { type LimitPart, mergeDecisions, type RequestDecision } from "./request-decision.js"
import type { RequestLimiter } from "./request-limiter.js"

/** What is asked of one limit, as far as it is known. */
export interface Ask {
  policy: Policy | undefined
  key: string
  cost: number
}

/** Whom to ask, and what to do where that fails. */
export interface DecideOptions {
  readonly limiterOf: (policy: Policy) => RequestLimiter
  readonly localLimiter: (policy: Policy) => RequestLimiter
  readonly failMode: FailMode
  readonly timeoutMs: number
  /** The longest time that anything admitted is held; 0 where nothing is. */
  readonly maxDelayMs: number
}

/** Who hears of what goes wrong, and does what need not be waited for. */
export interface Reports {
  error(error: unknown): void
  /** Hears of an error that leaves the decision to the fail mode. */
  outage(error: unknown): void
  inBackground(work: () => Promise<void>): void
}

/** A decision, and how it came about. */
export interface Decided {
  readonly decision: RequestDecision
  /** Each limit's part. */
  readonly parts: readonly LimitPart[]
  /** What was charged, or still may be by an answer that comes too late. */
  readonly charges: readonly Charge[]
  /** Who decided, and on which key: what a penalty is for. None where nobody could be asked. */
  readonly asked: readonly Question[]
}

/** A cost that no wait makes admissible, or that is no cost at all. */
export interface BadCost {
  readonly cost: number
  /** The largest cost that the policy can admit. */
  readonly maximum: number
  readonly error: CostError | RangeError
}

/** What a client is told to wait for a limiter that cannot be asked: nobody knows, and a second is the least there is. */
const FAIL_CLOSED_RETRY_MS = 1_000

/**
 * Asks the limiters, and where that fails does as the fail mode says. A bad cost is an answer of its own, whatever the
 * fail mode: else who is limited could choose not to be.
 *
 * @param isComplete whether all that is to be asked is known; where not, the fail mode decides at once
 */
export async function decide(
  asks: readonly Ask[],
  isComplete: boolean,
  options: DecideOptions,
  reports: Reports,
): Promise<Decided | { readonly badCost: BadCost }> {
  const { limiterOf, localLimiter, failMode, timeoutMs, maxDelayMs } = options
  const charges: Charge[] = []

  const questionsTo = (find: (policy: Policy) => RequestLimiter) =>
    asks.map(({ policy, key, cost }) => ({ limiter: find(policy!), key, cost }))

  const partsOf = (decisions: readonly Decision[]) =>
    decisions.map((decision, index) => limitHold({ policy: asks[index]!.policy, decision }, maxDelayMs))

  if (isComplete) {
    for (const { policy, key, cost } of asks) {
      const badCost = findBadCost(policy!, key, cost)
      if (badCost) return { badCost }
    }
    try {
      const asked = questionsTo(limiterOf)
      const decisions = await askLimits(asked, timeoutMs, charges)
      const parts = partsOf(decisions)
      const decision = mergeDecisions(parts)
      if (decision.allowed) return { decision, parts, charges, asked }
      // What some limits charged for a request that another one denied, or that would be held for too long.
      for (const [index, charge] of charges.entries()) {
        if (decisions[index]!.allowed) reports.inBackground(() => giveBack(charge))
      }
      const uncharged = parts.map((part) => ({ ...part, decision: withoutReceipt(part.decision) }))
      return { decision: mergeDecisions(uncharged), parts: uncharged, charges: [], asked }
    } catch (error) {
      if (isCostError(error)) {
        for (const charge of charges) reports.inBackground(() => giveBack(charge))
        const { cost = Math.max(...asks.map((ask) => ask.cost)), maximum } = error as Partial<CostError>
        return { badCost: { cost, maximum: maximum!, error } }
      }
      reports.outage(error)
    }
  }

  if (failMode === "local" && asks.every(({ policy }) => policy !== undefined)) {
    try {
      const asked = questionsTo(localLimiter)
      const decisions = await askLimits(asked, timeoutMs, charges)
      const parts = partsOf(decisions.map((decision) => reasoned(decision, "fail-local")))
      return { decision: mergeDecisions(parts), parts, charges, asked }
    } catch (error) {
      reports.outage(error)
    }
  }
  const reason = failMode === "open" ? "fail-open" : "fail-closed"
  const parts = partsOf(asks.map((ask) => unasked(reason, ask)))
  return { decision: mergeDecisions(parts), parts, charges, asked: [] }
}

/** What is wrong with a cost under a policy, if anything is. */
export function findBadCost({ rules }: Policy, key: string, cost: number): BadCost | undefined {
  const maximum = maximumCost(rules)
  // What is no number, which plain JavaScript may give, may not even compare with one.
  if (typeof cost === "number" && cost > maximum) return { cost, maximum, error: new CostError(key, cost, maximum) }
  if (Number.isInteger(cost) && cost >= 0) return undefined
  const message = `Cannot check key ${show(key)}: cost is ${show(cost)}, allowed is a whole number 0 to ${maximum}.`
  return { cost, maximum, error: new RangeError(message) }
}

/** The decision of a fail mode that did not count, or of a list. The numbers of the quota are not known. */
export function unasked(reason: Reason, { policy, key, cost }: Ask, name: string = policy?.name ?? ""): Decision {
  return {
    allowed: reason === "fail-open",
    key,
    policy: name,
    algorithm: policy?.rules[0].algorithm ?? "gcra",
    limit: policy?.rules[0].limit ?? 0,
    remaining: 0,
    cost,
    retryAfterMs: reason === "fail-closed" ? FAIL_CLOSED_RETRY_MS : 0,
    resetAfterMs: 0,
    delayMs: 0,
    reason,
  }
}

/** By its code: an error that came over RPC has lost its class. */
function isCostError(error: unknown): error is CostError {
  const { code, maximum } = (error ?? {}) as Partial<CostError>
  return code === "COST_ABOVE_CAPACITY" && typeof maximum === "number"
}

/** Spelled out since a receipt may be a getter of the prototype, which a spread does not see. */
function reasoned(decision: Decision, reason: Reason): Decision {
  const { receipt } = decision
  return { ...decision, ...(receipt && { receipt }), reason }
}
