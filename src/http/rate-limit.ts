import { RateLimiter } from "../limiter/rate-limiter.js"
import { parsePolicy } from "../policy/parse-policy.js"
import { systemClock } from "../types/clock.js"
import { addFields } from "./add-fields.js"
import { checkOptions } from "./check-options.js"
import { Hooks } from "./hooks.js"
import { findBadCost, giveBack, type JudgeOptions, judge, type Verdict } from "./judge.js"
import { clientAddress } from "./keys/client-address.js"
import { partitionKeyHasher } from "./partition-key.js"
import { perPolicy } from "./per-policy.js"
import { badCost, limiterUnavailable, problemResponse, quotaExceeded } from "./problem.js"
import { rateLimitFields } from "./rate-limit-fields.js"
import type { Handler, RateLimitOptions } from "./rate-limit-options.js"
import { retryAfterSeconds } from "./retry-after.js"

type Decided = Exclude<Verdict, { badCost: unknown }>

/**
 * Puts a limit around a Web-standard handler, whatever calls it: `fetch` of a Worker, `Deno.serve`, `Bun.serve`, a route
 * of a framework.
 *
 * A request within its limit reaches the handler, and the response gets the RateLimit fields. A request over it gets a
 * 429 with `Retry-After` and problem details (RFC 9457) instead; waiting that long is enough. A request whose cost is
 * above the policy's capacity, or is no whole number, gets a 400 that says the largest cost allowed: no wait would help
 * it. Where the limiter cannot be asked, `failMode` decides.
 *
 * What a late answer charged stands where the request was let through meanwhile, since it was served, and is given back
 * where it was refused.
 *
 * @returns a handler of the same arguments
 * @throws {PolicyError} where `policy` is not a function and cannot be
 * @throws {RangeError} where another option cannot be: it names the option, its value and what is allowed
 * @example
 * ```ts
 * import { rateLimit } from "sluice/http"
 *
 * const limited = rateLimit(() => new Response("hello"), { policy: "1/minute" })
 * await limited(new Request("http://localhost/")) // 200, RateLimit: "default";r=0;t=60
 * await limited(new Request("http://localhost/")) // 429, Retry-After: 60
 * ```
 */
export function rateLimit<Rest extends unknown[]>(
  handler: Handler<Rest>,
  options: RateLimitOptions<Rest>,
): (request: Request, ...rest: Rest) => Promise<Response> {
  checkOptions(options)
  const { clock = systemClock, shadow = false, skip, onLimited, jitter, partitionSecret } = options
  const judgeOptions = completeOptions(options)
  const partitionKeyOf = partitionSecret === undefined ? undefined : partitionKeyHasher(partitionSecret)
  const originals = new WeakMap<Response, Headers>()

  async function isSkipped(hooks: Hooks<Rest>, request: Request, rest: Rest): Promise<boolean> {
    try {
      return (await skip?.(request, ...rest)) ?? false
    } catch (error) {
      hooks.error(error)
      return false
    }
  }

  async function fieldsOf({ policy, decision }: Decided, hooks: Hooks<Rest>): Promise<Record<string, string>> {
    if (policy === undefined) return {}
    try {
      const partitionKey = await partitionKeyOf?.(decision.key)
      return rateLimitFields(policy, decision, clock.now(), { ...options, ...(partitionKey && { partitionKey }) })
    } catch (error) {
      hooks.error(error)
      return {}
    }
  }

  /** The handler's response. Where that is not to count, the charge is given back. */
  async function serve({ charges }: Decided, hooks: Hooks<Rest>, request: Request, rest: Rest): Promise<Response> {
    const { skipFailedRequests, skipSuccessfulRequests } = options
    let hasFailed = true
    try {
      const response = await handler(request, ...rest)
      hasFailed = response?.status >= 400 || response?.type === "error"
      return response
    } finally {
      if (hasFailed ? skipFailedRequests : skipSuccessfulRequests) refund(charges, hooks)
    }
  }

  /** The response instead of the handler's. */
  async function refuse({ decision }: Decided, hooks: Hooks<Rest>, request: Request, rest: Rest): Promise<Response> {
    if (decision.reason === "fail-closed") {
      return problemResponse(limiterUnavailable(decision, options.failClosedStatus))
    }
    try {
      if (onLimited) return await onLimited(request, decision, ...rest)
    } catch (error) {
      hooks.error(error)
    }
    return problemResponse(quotaExceeded(decision, options.status))
  }

  return async function limited(request, ...rest) {
    const hooks = new Hooks(options, request, rest)
    if (await isSkipped(hooks, request, rest)) return handler(request, ...rest)

    const verdict = await judge(judgeOptions, hooks, request, rest)
    if ("badCost" in verdict) {
      hooks.error(verdict.badCost.error)
      if (shadow) return handler(request, ...rest)
      return problemResponse(badCost(verdict.badCost.cost, verdict.badCost.maximum))
    }

    const { decision, charges } = verdict
    hooks.decision(decision)
    if (shadow) return serve(verdict, hooks, request, rest)
    const fields = await fieldsOf(verdict, hooks)
    if (decision.allowed) {
      return addFields(await serve(verdict, hooks, request, rest), { fields, defaults: {} }, originals)
    }
    refund(charges, hooks)
    const retryAfter = String(retryAfterSeconds(decision.retryAfterMs, jitter))
    const defaults = { "Retry-After": retryAfter, "Cache-Control": "no-store" }
    return addFields(await refuse(verdict, hooks, request, rest), { fields, defaults }, originals)
  }
}

function refund<Rest extends unknown[]>(charges: Decided["charges"], hooks: Hooks<Rest>): void {
  for (const charge of charges) hooks.inBackground(() => giveBack(charge))
}

/** What decisions need of the options, with the defaults; a policy and cost that are known are checked here. */
function completeOptions<Rest extends unknown[]>(options: RateLimitOptions<Rest>): JudgeOptions<Rest> {
  const clock = options.clock ?? systemClock
  const policy = typeof options.policy === "function" ? options.policy : parsePolicy(options.policy)
  const cost = options.cost ?? 1
  if (typeof policy !== "function" && typeof cost === "number") {
    const bad = findBadCost(policy, "", cost)
    if (bad) throw new RangeError(`Cannot rate limit: cost is ${cost}, allowed is a whole number 0 to ${bad.maximum}.`)
  }
  const memory = perPolicy((each) => new RateLimiter(each, { clock }))
  return {
    policy,
    cost,
    key: options.key ?? clientAddress(),
    limiter: options.limiter ?? memory,
    localLimiter: options.localLimiter ? perPolicy(options.localLimiter) : memory,
    failMode: options.failMode ?? "open",
    timeoutMs: options.timeoutMs ?? 1_000,
  }
}
