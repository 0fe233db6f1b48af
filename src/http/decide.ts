import { asGivenBack } from "../limiter/decide-all.js"
import { isDeniedByBlock, withReason } from "../limiter/denied-by-block.js"
import { maximumCost } from "../policy/maximum-cost.js"
import { parsePolicy } from "../policy/parse-policy.js"
import type { Policy, PolicyInput } from "../policy/policy.js"
import { MAX_UNITS } from "../policy/policy-range.js"
import { having, isWhole, requireKind, requireWhole } from "../policy/require-fields.js"
import type { Decision } from "../types/decision.js"
import { CostError, show } from "../types/errors.js"
import { askLimits, giveBack, type PendingCheck, type Question } from "./ask-limits.js"
import { limitHold } from "./limit-hold.js"
import type { FailMode } from "./limit-options.js"
import { type LimitPart, mergeDecisions, type RequestDecision } from "./request-decision.js"
import type { RequestLimiter } from "./request-limiter.js"
import { tellApart } from "./tell-apart.js"
import { type LimitQuestion, unasked } from "./unasked.js"

/** What is asked of one limit, all of it known. */
export interface KnownLimitQuestion extends LimitQuestion {
  policy: Policy
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
  readonly charges: readonly PendingCheck[]
  /**
   * Who decided, and on which key: what a penalty is for. Where the fail mode did without asking, those whose answer
   * did not come, for they may have charged; none where it was not known whom to ask.
   */
  readonly asked: readonly Question[]
}

/** A cost that no wait makes admissible, or that is no cost at all. */
export interface BadCost {
  readonly cost: number
  /** The largest cost that the policy can admit. */
  readonly maximum: number
  readonly error: CostError | RangeError
}

/** What was asked of limiters that did not answer. */
interface InVain {
  /** May be charged by an answer that comes too late. */
  readonly charges: PendingCheck[]
  readonly asked: readonly Question[]
}

/**
 * Asks the limiters, and where that fails does as the fail mode says. A bad cost is an answer of its own, whatever the
 * fail mode: else who is limited could choose not to be. Which cost is too large the limiter says, since others may
 * have put another policy in force there.
 */
export async function decide(
  asks: readonly KnownLimitQuestion[],
  options: DecideOptions,
  reports: Reports,
): Promise<Decided | { readonly badCost: BadCost }> {
  // What no policy admits needs no question.
  const uncounted = asks.filter(({ cost }) => !isWhole(cost, 0, MAX_UNITS))
  const badCost = uncounted.map(findBadCost).find(Boolean)
  if (badCost) return { badCost }
  const charges: PendingCheck[] = []
  let asked: readonly Question[] = []
  try {
    asked = questionsTo("limiter", options.limiterOf, asks)
    const decisions = await askLimits(asked, options, charges)
    const parts = partsOf(asks, decisions, options)
    const decision = mergeDecisions(parts)
    if (decision.allowed) return { decision, parts, charges, asked }
    // What some limits charged for a request that another one denied, or that would be held for too long.
    giveAllBack(
      charges.filter(({ place }) => decisions[place]!.allowed),
      reports,
    )
    const uncharged = parts.map((part) => ({ ...part, decision: asGivenBack(part.decision) }))
    return { decision: mergeDecisions(uncharged), parts: uncharged, charges: [], asked }
  } catch (error) {
    if (isCostError(error)) {
      giveAllBack(charges, reports)
      const { cost = Math.max(...asks.map((ask) => ask.cost)), maximum } = error as Partial<CostError>
      return { badCost: { cost, maximum: maximum!, error } }
    }
    reports.outage(error)
    return decideByFailMode(asks, options, reports, { charges, asked })
  }
}

/** Decides where the limiters cannot be asked, or not all is known that is to be asked. */
export async function decideByFailMode(
  asks: readonly LimitQuestion[],
  options: DecideOptions,
  reports: Reports,
  { charges, asked }: InVain = { charges: [], asked: [] },
): Promise<Decided | { readonly badCost: BadCost }> {
  const { localLimiter, failMode } = options
  const known = asks.filter(isKnown)
  // Nobody tells which policies are in force, so those of the options stand in for them.
  const badCost = known.map(findBadCost).find(Boolean)
  if (badCost) {
    giveAllBack(charges, reports)
    return { badCost }
  }
  if (failMode === "local" && known.length === asks.length) {
    try {
      const askedHere = questionsTo("localLimiter", localLimiter, known)
      const answers = await askLimits(askedHere, options, charges)
      const decisions = answers.map((decision, index) =>
        withReason(decision, "fail-local", isDeniedByBlock(decision, known[index]!.policy.blockMs)),
      )
      const parts = partsOf(asks, decisions, options)
      return { decision: mergeDecisions(parts), parts, charges, asked: askedHere }
    } catch (error) {
      reports.outage(error)
    }
  }
  const reason = failMode === "open" ? "fail-open" : "fail-closed"
  const decisions = asks.map((ask) => unasked(reason, ask))
  const parts = partsOf(asks, decisions, options)
  return { decision: mergeDecisions(parts), parts, charges, asked }
}

function isKnown(ask: LimitQuestion): ask is KnownLimitQuestion {
  return ask.policy !== undefined
}

const LIMITER = having("check")

/** @throws {RangeError} where the function of that option gives no limiter, as one that is asynchronous */
function questionsTo(
  option: "limiter" | "localLimiter",
  find: (policy: Policy) => RequestLimiter,
  asks: readonly KnownLimitQuestion[],
): Question[] {
  return asks.map(({ policy, key, cost }) => {
    const limiter = find(policy)
    requireKind("rate limit", `what ${option} returns`, limiter, LIMITER)
    return { limiter, key, cost, policy }
  })
}

function partsOf(
  asks: readonly LimitQuestion[],
  decisions: readonly Decision[],
  { maxDelayMs }: DecideOptions,
): readonly LimitPart[] {
  const parts = decisions.map((decision, index) => limitHold({ policy: asks[index]!.policy, decision }, maxDelayMs))
  return parts.length === 1
    ? parts
    : tellApart(
        parts,
        asks.map(({ limit }) => limit),
      )
}

function giveAllBack(charges: readonly PendingCheck[], reports: Reports): void {
  for (const charge of charges) reports.inBackground(() => giveBack(charge))
}

/** What is wrong with a cost under a policy, if anything is. */
function findBadCost({ policy, key, cost }: KnownLimitQuestion): BadCost | undefined {
  const maximum = maximumCost(policy.rules)
  // What is no number, which plain JavaScript may give, may not even compare with one.
  if (typeof cost === "number" && cost > maximum) return { cost, maximum, error: new CostError(key, cost, maximum) }
  if (Number.isInteger(cost) && cost >= 0) return undefined
  const message = `Cannot check key ${show(key)}: cost is ${show(cost)}, allowed is a whole number from 0 to ${maximum}.`
  return { cost, maximum, error: new RangeError(message) }
}

/** A limit's options of which some may be fixed; the others are functions of the request. */
interface FixedAsk {
  readonly policy: PolicyInput | ((...call: never[]) => unknown)
  readonly cost?: number | ((...call: never[]) => unknown) | undefined
}

/**
 * Refuses a fixed cost that a fixed policy can never admit, before the first question: for those whose policy is the
 * one in force.
 *
 * @throws {RangeError}
 */
export function refuseBadCost(act: string, { policy, cost = 1 }: FixedAsk): void {
  if (typeof policy === "function" || typeof cost !== "number") return
  requireWhole(act, "cost", cost, 0, maximumCost(parsePolicy(policy).rules))
}

/** By its code: an error that came over RPC has lost its class. */
function isCostError(error: unknown): error is CostError {
  const { code, maximum } = (error ?? {}) as Partial<CostError>
  return code === "COST_ABOVE_CAPACITY" && typeof maximum === "number"
}
