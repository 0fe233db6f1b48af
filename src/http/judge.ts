import { parsePolicy } from "../policy/parse-policy.js"
import type { Policy } from "../policy/policy.js"
import type { Decision, Reason } from "../types/decision.js"
import { CostError } from "../types/errors.js"
import type { Awaitable, Checker } from "../types/limiter.js"
import type { Hooks } from "./hooks.js"
import type { KeyExtractor } from "./keys/key-extractor.js"
import { limiterKey, UNIDENTIFIED_KEY } from "./keys/limiter-key.js"
import type { FailMode, LimiterSource, RateLimitOptions } from "./rate-limit-options.js"
import { withDeadline } from "./with-deadline.js"

/** A check on its way, or done. */
interface Charge {
  readonly checker: Checker
  readonly answer: Awaitable<Decision>
}

/** What came of a request's check. */
export type Verdict =
  | {
      readonly decision: Decision
      /** Absent where the policy itself could not be had. */
      readonly policy: Policy | undefined
      /** What was charged for this request, or still may be by an answer that comes too late. */
      readonly charges: readonly Charge[]
    }
  | { readonly costError: CostError }

/** What a judge needs of the options, complete. */
export interface JudgeOptions<Rest extends unknown[]> {
  readonly policy: Policy | Extract<RateLimitOptions<Rest>["policy"], (...args: never) => unknown>
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
 * says. A cost that no wait can make admissible is a verdict of its own, whatever the fail mode: no request may choose
 * not to be limited.
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
  let charge: Charge | undefined
  try {
    policy =
      typeof options.policy === "function" ? parsePolicy(await options.policy(request, ...rest)) : options.policy
    key = await limiterKey(await options.key(request, ...rest))
    cost = typeof options.cost === "number" ? options.cost : await options.cost(request, ...rest)
    checkCost(key, cost, policy)
    charge = ask(options.limiter(policy, ...rest), key, cost)
    const decision = await answerOf(charge, options.timeoutMs)
    return { policy, decision, charges: decision.receipt ? [charge] : [] }
  } catch (error) {
    if (isCostError(error)) return { costError: error }
    hooks.error(error)
  }

  const charges = charge ? [charge] : []
  if (options.failMode === "open") return { policy, decision: guess("fail-open", policy, key, cost), charges }
  if (options.failMode === "local" && policy !== undefined) {
    try {
      const local = ask(options.localLimiter(policy), key, cost)
      const decision = await answerOf(local, options.timeoutMs)
      return { policy, decision: { ...decision, reason: "fail-local" }, charges: [...charges, local] }
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
    return // Nothing was charged, and the failure is reported already.
  }
  if (decision.receipt) await checker.refund(decision.receipt)
}

function ask(checker: Checker, key: string, cost: number): Charge {
  return { checker, answer: checker.check(key, { cost }) }
}

/** The in-memory limiter answers at once, and then no timer is set. */
function answerOf({ answer }: Charge, timeoutMs: number): Awaitable<Decision> {
  return answer instanceof Promise ? withDeadline(answer, timeoutMs) : answer
}

/** @throws {CostError} where no limiter of the policy could ever admit the cost, or it is no cost at all */
export function checkCost(key: string, cost: number, { rules }: Policy): void {
  const maximum = Math.min(...rules.map((rule) => rule.capacity))
  if (!Number.isInteger(cost) || cost < 0 || cost > maximum) throw new CostError(key, cost, maximum)
}

/** By its code: an error that came over RPC has lost its class. */
function isCostError(error: unknown): error is CostError {
  return (error as Partial<CostError> | undefined)?.code === "COST_ABOVE_CAPACITY"
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
