import { parsePolicy } from "../policy/parse-policy.js"
import type { Policy } from "../policy/policy.js"
import type { Decision, Reason } from "../types/decision.js"
import { CostError, show } from "../types/errors.js"
import type { Awaitable, Checker } from "../types/limiter.js"
import type { Hooks } from "./hooks.js"
import type { KeyExtractor } from "./keys/key-extractor.js"
import { limiterKey, UNIDENTIFIED_KEY } from "./keys/limiter-key.js"
import type { FailMode, LimiterSource, PolicySource, RateLimitOptions } from "./rate-limit-options.js"
import { withDeadline } from "./with-deadline.js"

/** What came of a request's check. */
export type Verdict =
  | {
      readonly decision: Decision
      /** Absent where the policy itself could not be had. */
      readonly policy: Policy | undefined
      /** What was charged for this request, or still may be by an answer that comes too late. */
      readonly charges: readonly Charge[]
    }
  | { readonly badCost: BadCost }

/** A cost that no wait makes admissible, or that is no cost at all. */
export interface BadCost {
  readonly cost: number
  /** The largest cost that the policy can admit. */
  readonly maximum: number
  readonly error: CostError | RangeError
}

/** A check on its way, or done. */
interface Charge {
  readonly checker: Checker
  readonly answer: Awaitable<Decision>
}

/** The options that bear on a decision, all of them present. */
export interface JudgeOptions<Rest extends unknown[]> {
  readonly policy: Policy | PolicySource<Rest>
  readonly key: KeyExtractor<Rest>
  readonly cost: NonNullable<RateLimitOptions<Rest>["cost"]>
  readonly limiter: LimiterSource<Rest>
  readonly localLimiter: (policy: Policy) => Checker
  readonly failMode: FailMode
  readonly timeoutMs: number
}

/** What a client is told to wait for a limiter that cannot be asked: nobody knows, and a second is the least there is. */
const FAIL_CLOSED_RETRY_MS = 1_000

/**
 * Decides on a request: finds its policy, key and cost, asks the limiter, and where that fails does as the fail mode
 * says. A bad cost is a verdict of its own, whatever the fail mode: else a request could choose not to be limited.
 */
export async function judge<Rest extends unknown[]>(
  options: JudgeOptions<Rest>,
  hooks: Hooks<Rest>,
  request: Request,
  rest: Rest,
): Promise<Verdict> {
  let policy: Policy | undefined
  let key = UNIDENTIFIED_KEY
  let cost = 1
  const charges: Charge[] = []

  async function ask(checker: Checker): Promise<Decision> {
    const answer = checker.check(key, { cost })
    charges.push({ checker, answer })
    // The in-memory limiter answers at once, and then no timer is needed. A thenable may be of RPC, so no instanceof.
    return "then" in answer ? withDeadline(Promise.resolve(answer), options.timeoutMs) : answer
  }

  try {
    policy = typeof options.policy === "function" ? parsePolicy(await options.policy(request, ...rest)) : options.policy
    key = await limiterKey(await options.key(request, ...rest))
    cost = typeof options.cost === "number" ? options.cost : await options.cost(request, ...rest)
    const badCost = findBadCost(policy, key, cost)
    if (badCost) return { badCost }
    const decision = await ask(options.limiter(policy, ...rest))
    return { policy, decision, charges: decision.allowed ? charges : [] }
  } catch (error) {
    if (isCostError(error)) return { badCost: { cost, maximum: error.maximum, error } }
    hooks.error(error)
  }

  if (options.failMode === "open") return { policy, decision: guess("fail-open", policy, key, cost), charges }
  if (options.failMode === "local" && policy) {
    try {
      const decision = await ask(options.localLimiter(policy))
      return { policy, decision: asLocal(decision), charges }
    } catch (error) {
      hooks.error(error)
    }
  }
  return { policy, decision: guess("fail-closed", policy, key, cost), charges }
}

/** Gives back what was charged, be it now or when a late answer tells of it. */
export async function giveBack({ checker, answer }: Charge): Promise<void> {
  let decision: Decision
  try {
    decision = await answer
  } catch {
    return // The check failed, which is reported already, and so told of no charge.
  }
  if (decision.receipt) await checker.refund(decision.receipt)
}

/** What is wrong with a cost under a policy, if anything is. */
export function findBadCost({ rules }: Policy, key: string, cost: number): BadCost | undefined {
  const maximum = Math.min(...rules.map((rule) => rule.capacity))
  if (cost > maximum) return { cost, maximum, error: new CostError(key, cost, maximum) }
  if (Number.isInteger(cost) && cost >= 0) return undefined
  const message = `Cannot check key ${show(key)}: cost is ${show(cost)}, allowed is a whole number 0 to ${maximum}.`
  return { cost, maximum, error: new RangeError(message) }
}

/** By its code: an error that came over RPC has lost its class. */
function isCostError(error: unknown): error is CostError {
  const { code, maximum } = (error ?? {}) as Partial<CostError>
  return code === "COST_ABOVE_CAPACITY" && typeof maximum === "number"
}

/** Spelled out since a receipt may be a getter of the prototype, which a spread does not see. */
function asLocal(decision: Decision): Decision {
  const { receipt } = decision
  return { ...decision, ...(receipt && { receipt }), reason: "fail-local" }
}

/** The decision of a fail mode that did not count. The numbers of the quota are not known. */
function guess(reason: Reason, policy: Policy | undefined, key: string, cost: number): Decision {
  const allowed = reason === "fail-open"
  return {
    allowed,
    key,
    policy: policy?.name ?? "",
    algorithm: policy?.rules[0].algorithm ?? "gcra",
    limit: policy?.rules[0].limit ?? 0,
    remaining: 0,
    cost,
    retryAfterMs: allowed ? 0 : FAIL_CLOSED_RETRY_MS,
    resetAfterMs: 0,
    delayMs: 0,
    reason,
  }
}
