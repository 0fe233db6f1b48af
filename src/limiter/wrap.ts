import { COST, checkFields, checkKind, either, FUNCTION, flag, type Kinds, TEXT } from "../policy/check-fields.js"
import type { Decision } from "../types/decision.js"
import { RateLimitExceeded } from "../types/errors.js"
import type { Awaitable, Checker, CheckOptions } from "../types/limiter.js"
import { CHECKER } from "./check-options.js"
import { requireDecision } from "./is-decision.js"
import { Permit } from "./permit.js"
import { isPromised } from "./when-answered.js"

/** A limiter that answers at once: what it wraps stays synchronous. */
export interface SyncChecker extends Checker {
  check(key: string, options?: CheckOptions): Decision
}

/** What a call of a wrapped function counts as. */
export interface WrapOptions<This, Args extends unknown[]> {
  /** What calls count against: one key for all, or each call's own, which is no promise. Default the function's name. */
  readonly key?: string | ((this: This, ...args: Args) => string)
  /** Units that a call costs; default what a check without a cost takes: 1, or what a configuration says. */
  readonly cost?: number | ((this: This, ...args: Args) => number)
  /** Of several named limits, the one that is asked; default the key's own, else the one named `"default"`. */
  readonly limit?: string
  /** Whether a call that throws or rejects gets its units back; default `false`: the charge stands. */
  readonly skipFailed?: boolean
}

const WRAP_KINDS: Kinds<WrapOptions<never, never>> = {
  key: either(TEXT, FUNCTION),
  cost: COST,
  limit: TEXT,
  skipFailed: flag(),
}

/** @throws {RangeError} where they are no object, have one that there is not, or one that cannot be */
export function requireWrapOptions<This, Args extends unknown[]>(act: string, options: WrapOptions<This, Args>): void {
  checkFields<WrapOptions<never, never>>(act, options as WrapOptions<never, never>, WRAP_KINDS)
}

/**
 * A function that asks a limiter before each call, and throws `RateLimitExceeded` in place of the call where that is
 * denied. Behind a limiter that answers at once it returns what the function returns, behind another one a promise. Of one
 * that is declared `async` it rejects, also behind a limiter that answers at once. It has the function's name and length.
 *
 * The charge stands whatever becomes of the call, unless `skipFailed` says otherwise.
 *
 * @throws {RangeError} where the limiter is none, the function is none, or an option cannot be
 * @throws {RateLimitExceeded} from the wrapped function: it carries the decision, `retryAfterMs` and `retryAfter`
 * @example
 * ```ts
 * import { RateLimiter, wrap } from "sluice"
 *
 * const greet = wrap(new RateLimiter("1/minute"), (name: string) => `hello ${name}`, { key: (name) => name })
 * greet("ada") // "hello ada"
 * greet("bob") // "hello bob"
 * ```
 */
export function wrap<This, Args extends unknown[], Result>(
  limiter: SyncChecker,
  fn: (this: This, ...args: Args) => Result,
  options?: NoInfer<WrapOptions<This, Args>>,
): (this: This, ...args: Args) => Result
export function wrap<This, Args extends unknown[], Result>(
  limiter: Checker,
  fn: (this: This, ...args: Args) => Result,
  options?: NoInfer<WrapOptions<This, Args>>,
): (this: This, ...args: Args) => Promise<Awaited<Result>>
export function wrap<This, Args extends unknown[], Result>(
  limiter: Checker,
  fn: (this: This, ...args: Args) => Result,
  wrapOptions: WrapOptions<This, Args> = {},
): (this: This, ...args: Args) => Awaitable<Result> {
  checkKind("wrap", "limiter", limiter, CHECKER)
  checkKind("wrap", "fn", fn, FUNCTION)
  requireWrapOptions("wrap", wrapOptions)
  const { key = fn.name || "anonymous", cost, limit, skipFailed = false } = wrapOptions
  function call(this: This, ...args: Args): Awaitable<Result> {
    const units = typeof cost === "function" ? cost.apply(this, args) : cost
    const isBare = units === undefined && limit === undefined
    const options = isBare
      ? undefined
      : { ...(units !== undefined && { cost: units }), ...(limit !== undefined && { limit }) }
    const answer = limiter.check(typeof key === "string" ? key : key.apply(this, args), options)
    if (isPromised(answer)) {
      return Promise.resolve(answer).then((decision) => admitted.call(this, args, decision))
    }
    return admitted.call(this, args, answer)
  }
  function admitted(this: This, args: Args, decision: Decision): Awaitable<Result> {
    requireAdmission(decision)
    if (!skipFailed) return fn.apply(this, args)
    return refundedIfFailed(new Permit(limiter, decision), () => fn.apply(this, args))
  }
  // Whoever calls an async function expects no throw. What it makes of one is async as well, so that it can be wrapped again.
  const limited = isAsync(fn)
    ? async function (this: This, ...args: Args): Promise<Awaited<Result>> {
        return await call.apply(this, args)
      }
    : call
  // Without a name of their own, functions that are wrapped again would all share one key.
  return Object.defineProperties(limited, { name: { value: fn.name }, length: { value: fn.length } })
}

/** What a call gives. Where it throws or rejects, its units are given back first; where that fails, the charge stands. */
function refundedIfFailed<Result>(permit: Permit, call: () => Result): Awaitable<Result> {
  let result: Result
  try {
    result = call()
  } catch (error) {
    return failAfterRefund(permit, error)
  }
  if (!isPromised(result)) return result
  return Promise.resolve(result).catch((error: unknown) => failAfterRefund(permit, error))
}

/** @throws {error} now where the limiter answers at once, else by promise */
function failAfterRefund(permit: Permit, error: unknown): Promise<never> {
  const fail = () => {
    throw error
  }
  let refunded: Awaitable<void> | undefined
  try {
    refunded = permit.refund()
  } catch {
    // What the call threw is what its caller is to hear of.
  }
  return refunded ? refunded.then(fail, fail) : fail()
}

/** Whether a function is declared so. One that only returns promises cannot be told from others before it is called. */
function isAsync(fn: object): boolean {
  return Object.prototype.toString.call(fn) === "[object AsyncFunction]"
}

function requireAdmission(decision: Decision): void {
  requireDecision("call", decision)
  if (!decision.allowed) throw new RateLimitExceeded(decision)
}
