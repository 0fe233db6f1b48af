import { isPromised } from "../lib/awaitable.js"
import { COST, either, FUNCTION, flag, type Kinds, requireFields, requireKind, TEXT } from "../policy/require-fields.js"
import type { Decision } from "../types/decision.js"
import { RateLimitExceeded } from "../types/errors.js"
import type { Awaitable, Checker, CheckOptions } from "../types/limiter.js"
import { Permit } from "./permit.js"
import { CHECKER } from "./require-check-options.js"
import { requireDecision } from "./require-decision.js"

/** A limiter that answers at once: what it wraps stays synchronous. */
export interface SyncChecker extends Checker {
  check(key: string, options?: CheckOptions): Decision
}

/** What a call of a wrapped function counts as. */
export interface WrapOptions<This, Args extends unknown[]> {
  /**
   * What calls count against: one key for all, or each call's own, which is no promise. Default the function's name, or
   * `"anonymous"` where it has none: so give a key where code is minified, or functions of the same short name share
   * one.
   */
  readonly key?: string | ((this: This, ...args: Args) => string) | undefined
  /** Units that a call costs; default what a check without a cost takes: 1, or what a configuration says. */
  readonly cost?: number | ((this: This, ...args: Args) => number) | undefined
  /** Of several named limits, the one that is asked; default the key's own, else the one named `"default"`. */
  readonly limit?: string | undefined
  /**
   * Whether a call that throws, or whose promise rejects, gets its units back; default `false`: the charge stands. It
   * stands too where a generator fails later, and behind a limiter that answers at once where what was returned is no
   * plain `Promise`: a query that begins when it is awaited, say.
   */
  readonly skipFailed?: boolean | undefined
}

const WRAP_KINDS: Kinds<WrapOptions<never, never>> = {
  key: either(TEXT, FUNCTION),
  cost: COST,
  limit: TEXT,
  skipFailed: flag(),
}

/** @throws {RangeError} where they are no object, have one that there is not, or one that cannot be */
export function requireWrapOptions<This, Args extends unknown[]>(act: string, options: WrapOptions<This, Args>): void {
  requireFields<WrapOptions<never, never>>(act, options as WrapOptions<never, never>, WRAP_KINDS)
}

/**
 * A function that asks a limiter before each call, and throws `RateLimitExceeded` in place of the call where that is
 * denied. Behind a limiter that answers at once it returns what the function returns, behind another one a promise. Of
 * one that is declared `async` it rejects, also behind a limiter that answers at once. It has the function's name and
 * length, and its properties as they are when it is wrapped: methods among them are not limited, and `new` is no call.
 * A generator function is asked for when it is called, not as its values are taken.
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
export function wrap<Fn extends (...args: never[]) => unknown>(
  limiter: SyncChecker,
  fn: Fn,
  options?: NoInfer<WrapOptions<ThisParameterType<Fn>, Parameters<Fn>>>,
): Fn
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
  requireKind("wrap", "limiter", limiter, CHECKER)
  requireKind("wrap", "fn", fn, FUNCTION)
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
      return Promise.resolve(answer).then((decision) => admitted.call(this, args, decision, isPromised))
    }
    // What a function that is declared `async` returns is never more than a promise, whatever `Promise` is by now.
    return admitted.call(this, args, answer, isAsync(fn) ? isPromised : isPlainPromise)
  }
  function admitted(this: This, args: Args, decision: Decision, isWaitedFor: IsPromise): Awaitable<Result> {
    requireAdmission(decision)
    if (!skipFailed) return fn.apply(this, args)
    return refundedIfFailed(new Permit(limiter, decision), () => fn.apply(this, args), isWaitedFor)
  }
  // Whoever calls an async function expects no throw. What it makes of one is async as well, so that it can be wrapped
  // again.
  const limited = isAsync(fn)
    ? async function (this: This, ...args: Args): Promise<Awaited<Result>> {
        return await call.apply(this, args)
      }
    : call
  // Without a name of their own, functions that are wrapped again would all share one key.
  const described = { name: { value: fn.name }, length: { value: fn.length } }
  return Object.defineProperties(limited, { ...propertiesOf(fn), ...described })
}

/** `promisify` of Node takes what the second one names for the whole function, and so would call past the limit. */
const NOT_KEPT: readonly PropertyKey[] = ["prototype", Symbol.for("nodejs.util.promisify.custom")]

/** The enumerable properties that a function was given, its getters as they are. */
function propertiesOf(fn: object): PropertyDescriptorMap {
  const properties: PropertyDescriptorMap = {}
  for (const name of Reflect.ownKeys(fn)) {
    const property = Object.getOwnPropertyDescriptor(fn, name)
    if (property?.enumerable && !NOT_KEPT.includes(name)) properties[name] = property
  }
  return properties
}

/**
 * What a call gives. Where it throws or rejects, its units are given back first; where that fails, the charge stands.
 *
 * @param isWaitedFor which results a promise may take the place of
 */
function refundedIfFailed<Result>(permit: Permit, call: () => Result, isWaitedFor: IsPromise): Awaitable<Result> {
  let result: Result
  try {
    result = call()
  } catch (error) {
    return failAfterRefund(permit, error)
  }
  if (!isWaitedFor(result)) return result
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

type IsPromise = (result: unknown) => boolean

/** Whether another promise is as good as this one. Any other thenable may begin when it is awaited, or have methods. */
function isPlainPromise(result: unknown): boolean {
  return (result as object | null | undefined)?.constructor === Promise
}

/** Whether a function is declared so. One that only returns promises cannot be told from others before it is called. */
function isAsync(fn: object): boolean {
  return Object.prototype.toString.call(fn) === "[object AsyncFunction]"
}

function requireAdmission(decision: Decision): void {
  requireDecision("call", decision)
  if (!decision.allowed) throw new RateLimitExceeded(decision)
}
