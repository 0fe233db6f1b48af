import { sleep } from "../lib/sleep.js"
import { parsePolicy } from "../policy/parse-policy.js"
import type { Policy } from "../policy/policy.js"
import { LIST, requireKind, unfit } from "../policy/require-fields.js"
import { NO_DELAY, tellsDelay } from "../policy/tells-delay.js"
import { systemClock } from "../types/clock.js"
import { show } from "../types/errors.js"
import { type AccessLists, accessLists } from "./access.js"
import { addFields } from "./add-fields.js"
import { giveBack, type PendingCheck, type Question } from "./ask-limits.js"
import { asChosen } from "./chosen-policy.js"
import { isClearUrl } from "./clear-url.js"
import { type Decided, refuseBadCost } from "./decide.js"
import { firstFailures } from "./first-failures.js"
import { Hooks } from "./hooks.js"
import { type JudgedLimit, type JudgeOptions, judge } from "./judge.js"
import { clientAddress } from "./keys/client-address.js"
import { LIMIT_NAME, type LimiterSource } from "./limit-options.js"
import { memoryLimiters } from "./memory-limiters.js"
import { partitionKeyHasher } from "./partition-key.js"
import { identityOf, perPolicy } from "./per-policy.js"
import { accessDenied, costProblem, limiterUnavailable, problemResponse, quotaExceeded, urlUnclear } from "./problem.js"
import { decisionFields, type FieldFormat, headerStyles } from "./rate-limit-fields.js"
import type { RateLimitOptions, ResponseHead } from "./rate-limit-options.js"
import { namer, unnamed } from "./rename-policy.js"
import type { RequestDecision } from "./request-decision.js"
import { limitsOf, maxDelayMsOf, OTHER_NAME, requireOptions, requireUnidentified } from "./require-options.js"
import { waitSeconds } from "./retry-after.js"

/** What came of a request: a response in place of the handler's, or leave to go on. `passes` says which. */
export type Outcome = (Passage | Refusal) & OutcomeParts

/** What nobody reads; proxies and logs know the number, which nginx gave a client that has closed its request. */
const CLIENT_GONE = 499

/** What functions of the options gave as denials, for whichever limit: a body is sent once. */
const denials = new WeakSet<Response>()

/** The handler is to be asked. */
interface Passage {
  readonly passes: true
  readonly response: undefined
}

/** The handler is not to be asked. */
interface Refusal {
  readonly passes: false
  /** What to answer; it has all its fields. */
  readonly response: Response
}

interface OutcomeParts {
  /** The decision; `undefined` where none was made, as for a request that is skipped. */
  readonly decision: RequestDecision | undefined
  /** The RateLimit fields for the handler's response. */
  readonly fields: Readonly<Record<string, string>>
  /** The handler's response with the fields: the same object, or a copy where it could answer another request too. */
  apply(response: Response): Response
  /**
   * Tells what the handler answered, `null` where it failed without an answer, which counts as a 500. Refunds and
   * penalties follow from it; call it once, also where no response is made of it or the client has gone. The charge of
   * a client that has gone before its answer stays where the request's signal tells, and where this is never called.
   */
  done(head: ResponseHead | null): void
}

/**
 * Decides on requests and leaves their responses to you: what `rateLimit` is made of, for adapters to frameworks that
 * have no handler to put it around.
 *
 * @throws as `rateLimit`
 * @example
 * ```ts
 * import { guardRequests } from "sluice/http"
 *
 * const guard = guardRequests({ policy: "1/minute" })
 * const first = await guard(new Request("http://localhost/"))
 * first.passes // true
 * first.fields["RateLimit"] // '"default";r=0;t=60'
 * first.done({ status: 200, headers: new Headers() })
 * const second = await guard(new Request("http://localhost/"))
 * second.response?.status // 429
 * ```
 */
export function guardRequests<Rest extends unknown[]>(
  options: RateLimitOptions<Rest>,
): (request: Request, ...rest: Rest) => Promise<Outcome> {
  requireOptions(options)
  const { clock = systemClock, shadow = false, skip, onLimited, jitter, partitionSecret } = options
  const { skipFailedRequests = false, skipSuccessfulRequests = false, penalty } = options
  const mayRefund = skipFailedRequests || skipSuccessfulRequests
  const judgeOptions = completeOptions(options)
  const { headers, legacyReset, quotaUnit } = options
  const format: FieldFormat = { styles: headerStyles(headers), legacyReset, quotaUnit }
  const warnings = firstFailures("rate limit", "requests", options.failMode)
  const partitionKeyOf = partitionSecret === undefined ? undefined : partitionKeyHasher(partitionSecret)

  /** The handler's response with the fields, and without those of another request that it was the answer to before. */
  const write = (fields: Outcome["fields"], request: Request) => (response: Response) =>
    addFields(response, { fields, defaults: {} }, request)

  /** The outcome of a request that is not limited. */
  const passed = (request: Request): Outcome => ({
    passes: true,
    response: undefined,
    decision: undefined,
    fields: {},
    apply: write({}, request),
    done: () => {},
  })

  async function isSkipped(hooks: Hooks<Rest>, request: Request, rest: Rest): Promise<boolean> {
    try {
      const answer = await skip?.(request, ...rest)
      if (answer === undefined || typeof answer === "boolean") return answer === true
      // The text "false" of a header, say, is no reason to let a request go by.
      throw unfit("rate limit", "the answer of skip", answer, "true or false")
    } catch (error) {
      hooks.error(error)
      return false
    }
  }

  async function fieldsOf(decided: Decided, hooks: Hooks<Rest>): Promise<Record<string, string>> {
    try {
      const nowMs = clock.now()
      const keys = partitionKeyOf && decided.parts.map(({ decision }) => partitionKeyOf(decision.key))
      return decisionFields(decided, nowMs, format, keys ? await Promise.all(keys) : [])
    } catch (error) {
      hooks.error(error)
      return {}
    }
  }

  function waitOf({ retryAfterMs }: RequestDecision, hooks: Hooks<Rest>): number {
    try {
      return waitSeconds(retryAfterMs, jitter)
    } catch (error) {
      hooks.error(error)
      return waitSeconds(retryAfterMs)
    }
  }

  /** The response instead of the handler's. */
  async function refuse({ decision }: Decided, hooks: Hooks<Rest>, request: Request, rest: Rest): Promise<Response> {
    if (decision.reason === "fail-closed") {
      return problemResponse(limiterUnavailable(decision, options.failClosedStatus))
    }
    try {
      if (onLimited) return requireUnsent(await onLimited(request, decision, ...rest))
    } catch (error) {
      hooks.error(error)
    }
    return problemResponse(quotaExceeded(decision, options.status))
  }

  /**
   * Where the response is one that is not to count, the charge is given back; where it asks for a penalty, charged.
   *
   * @param client aborted where the client has gone before its answer: were its charge given back, hanging up would be
   * a way out of the limit. Deno aborts it at an upgrade as well, which is an answer.
   */
  function settle(
    { charges, asked }: Decided,
    hooks: Hooks<Rest>,
    client: AbortSignal | undefined,
    head: ResponseHead,
    args: [Request, ...Rest],
  ) {
    const { status } = head
    const givesBack = status >= 400 || status === 0 ? skipFailedRequests : skipSuccessfulRequests
    if (givesBack && (status === 101 || !client?.aborted)) refund(charges, hooks)
    if (penalty && asked.length > 0) {
      hooks.inBackground(async () => punish(asked, await penalty(head, ...args)))
    }
  }

  return async function guard(request, ...rest) {
    const hooks = new Hooks(options, warnings, request, rest)
    // Before any option is asked: what fails on such a URL, or finds another path than the router, would limit nothing.
    if (!isClearUrl(request.url)) {
      const problem = urlUnclear()
      hooks.error(new RangeError(problem.detail))
      return shadow ? passed(request) : refused(problemResponse(problem))
    }
    // Read at once: some servers only watch the connection of a request whose signal somebody has asked for.
    const client = mayRefund ? request.signal : undefined
    if (await isSkipped(hooks, request, rest)) return passed(request)

    const verdict = await judge(judgeOptions, hooks, request, rest)
    if ("badCost" in verdict) {
      hooks.error(verdict.badCost.error)
      if (shadow) return passed(request)
      return refused(problemResponse(costProblem(verdict.badCost.cost, verdict.badCost.maximum)))
    }
    if ("listed" in verdict) {
      if (verdict.listed === "allow") return passed(request)
      hooks.decision(verdict.decision)
      return shadow ? passed(request) : refused(problemResponse(accessDenied()), verdict.decision)
    }

    const { decision, charges } = verdict
    hooks.decision(decision)
    const fields = shadow ? {} : await fieldsOf(verdict, hooks)
    if (decision.allowed || shadow) {
      if (judgeOptions.maxDelayMs > 0 && decision.delayMs > 0 && !shadow) {
        await sleep(decision.delayMs, request.signal)
        // Were it let through now, before its time, hanging up would be a way past the constant rate.
        if (request.signal?.aborted) return refused(new Response(null, { status: CLIENT_GONE }), decision)
      }
      return {
        passes: true,
        response: undefined,
        decision,
        fields,
        apply: write(fields, request),
        done: (head) => settle(verdict, hooks, client, head ?? failure(), [request, ...rest]),
      }
    }
    refund(charges, hooks)
    const defaults = { "Retry-After": String(waitOf(decision, hooks)), "Cache-Control": "no-store" }
    const response = await refuse(verdict, hooks, request, rest)
    return refused(addFields(response, { fields, defaults }, request), decision, fields)
  }
}

/** What stands for the answer of a handler that failed without one. */
function failure(): ResponseHead {
  return { status: 500, headers: new Headers() }
}

/** An outcome after which nothing is to be done. */
function refused(response: Response, decision?: RequestDecision, fields: Outcome["fields"] = {}): Outcome {
  return { passes: false, response, decision, fields, apply: (own) => own, done: () => {} }
}

/**
 * What `onLimited` gave, where it can be sent.
 *
 * @throws {TypeError}
 */
function requireUnsent(answer: Response): Response {
  // By its tag, since frameworks bring a `Response` of their own.
  if (Object.prototype.toString.call(answer) !== "[object Response]") {
    throw new TypeError(`Cannot answer a denied request: onLimited gave ${show(answer)}, allowed is a Response.`)
  }
  // Only at its second time is the body looked at, which costs some runtimes their fast path.
  if (answer.bodyUsed || (denials.has(answer) && answer.body !== null)) {
    throw new TypeError("Cannot answer a denied request: onLimited gave a Response whose body was given before.")
  }
  denials.add(answer)
  return answer
}

function refund<Rest extends unknown[]>(charges: readonly PendingCheck[], hooks: Hooks<Rest>): void {
  for (const charge of charges) hooks.inBackground(() => giveBack(charge))
}

/** @throws {RangeError} where the units are none, {TypeError} where a limiter cannot charge */
async function punish(asked: readonly Question[], units: number): Promise<void> {
  if (units === 0) return
  await Promise.all(
    asked.map(async ({ limiter, key }) => {
      if (!limiter.charge) throw new TypeError("Cannot charge a penalty: the limiter has no charge().")
      await limiter.charge(key, units)
    }),
  )
}

/** A client finds a limit's item in one field by its name in the other. @throws {RangeError} */
function refuseSameNames<Rest extends unknown[]>(limits: readonly JudgedLimit<Rest>[]): void {
  const taken = new Set<string>()
  for (const [index, { policy }] of limits.entries()) {
    if (typeof policy === "function") continue
    for (const { name } of policy.rules) {
      if (taken.has(name)) {
        throw unfit("rate limit", `limits[${index}].name`, name, OTHER_NAME)
      }
      taken.add(name)
    }
  }
}

/** A function of the policy alone may make its limiter: asked at every request, it would never count to two. */
function keeping<Rest extends unknown[]>(
  limiter: LimiterSource<Rest>,
  known: ReadonlySet<string>,
): LimiterSource<Rest> {
  return limiter.length === 1 ? perPolicy((policy) => (limiter as LimiterSource)(policy), known) : limiter
}

/** The policies that a limit is known to have, called as a request's is; none where a function makes them up. */
function choicesOfLimit<Rest extends unknown[]>({ policy, named }: JudgedLimit<Rest>): readonly Policy[] {
  if (typeof policy !== "function") return [policy]
  const { policies = [] } = policy
  requireKind("rate limit", "policy.policies", policies, LIST)
  return policies.map((choice) => asChosen(named(parsePolicy(choice))))
}

/** What decisions need of the options, with the defaults; a bad policy or cost that is known is refused here. */
function completeOptions<Rest extends unknown[]>(options: RateLimitOptions<Rest>): JudgeOptions<Rest> {
  const { allow, deny, address = {}, failMode = "open", timeoutMs = 1_000, limiter, localLimiter } = options
  const defaultKey = clientAddress(address)
  const limits = limitsOf(options).map((limit, index): JudgedLimit<Rest> => {
    const { key = defaultKey, cost = 1, name = unnamed(index) } = limit
    const named = namer(name)
    const { [LIMIT_NAME]: calledName = name } = limit as { readonly [LIMIT_NAME]?: string }
    requireUnidentified(key, options.limits ? `limits[${index}].` : "")
    const policy = typeof limit.policy === "function" ? limit.policy : named(parsePolicy(limit.policy))
    // A limiter of somebody else's may have another policy in force.
    if (limiter === undefined) refuseBadCost("rate limit", { policy, cost })
    return { policy, key, cost, name: calledName, named }
  })
  refuseSameNames(limits)
  const isKnown = limits.every(({ policy }) => typeof policy !== "function")
  const choices = limits.map(choicesOfLimit)
  const known = new Set(choices.flat().map(identityOf))
  const memory = memoryLimiters({ known, hasOthers: choices.some(({ length }) => length === 0) }, options)
  if (options.delay && isKnown && !limits.some(({ policy }) => tellsDelay(policy as Policy))) {
    throw unfit("rate limit", "delay", options.delay, NO_DELAY)
  }
  const access: AccessLists = accessLists(allow, deny, address)
  return {
    limits,
    access,
    limiter: limiter === undefined ? memory : keeping(limiter, known),
    localLimiter: localLimiter ? perPolicy(localLimiter, known) : memory,
    failMode,
    timeoutMs,
    maxDelayMs: maxDelayMsOf(options),
  }
}
