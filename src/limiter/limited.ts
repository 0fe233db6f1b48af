import type { PolicyInput } from "../policy/policy.js"
import type { Checker } from "../types/limiter.js"
import { RateLimiter } from "./rate-limiter.js"
import { CHECKER } from "./require-check-options.js"
import { requireWrapOptions, type SyncChecker, type WrapOptions, wrap } from "./wrap.js"

/** No type at all where a method gives more than the promise that a limiter's answer makes of its result. */
type GivesPlainPromise<Method extends (...args: never[]) => unknown> =
  Promise<Awaited<ReturnType<Method>>> extends ReturnType<Method> ? unknown : never

/**
 * A standard decorator (in TypeScript, without `experimentalDecorators`) that limits the calls of a method, as `wrap`
 * limits those of a function. The default key is the method's name, so that all objects of the class share the limit.
 *
 * Given a policy, the method gets a limiter in memory of its own; given a limiter, it shares that. A limiter that
 * answers by promise is for methods that return one.
 *
 * ```text
 * class Mailer {
 *   @limited("100/minute", { key: (to) => `mail:${to}` })
 *   send(to: string): void { … }
 * }
 * ```
 *
 * @throws {PolicyError} where the policy is not valid, {RangeError} where an option is not; the method throws
 * {RateLimitExceeded}
 */
export function limited<This, Args extends unknown[], Method extends (this: This, ...args: Args) => unknown>(
  limit: PolicyInput | SyncChecker,
  options?: NoInfer<WrapOptions<This, Args>>,
): (
  method: Method & ((this: This, ...args: Args) => unknown),
  context: ClassMethodDecoratorContext<This, Method>,
) => Method
export function limited<This, Args extends unknown[], Method extends (this: This, ...args: Args) => Promise<unknown>>(
  limit: Checker,
  options?: NoInfer<WrapOptions<This, Args>>,
): (
  method: Method & ((this: This, ...args: Args) => unknown) & GivesPlainPromise<Method>,
  context: ClassMethodDecoratorContext<This, Method>,
) => Method
export function limited<This, Args extends unknown[], Method extends (this: This, ...args: Args) => unknown>(
  limit: PolicyInput | Checker,
  options: WrapOptions<This, Args> = {},
): (
  method: Method & ((this: This, ...args: Args) => unknown),
  context: ClassMethodDecoratorContext<This, Method>,
) => Method {
  requireWrapOptions("limit", options)
  const limiter = isChecker(limit) ? limit : new RateLimiter(limit)
  return (method, context) => {
    // The decorators that TypeScript had first are called with the method's name where a context is.
    if (typeof context !== "object") {
      throw new TypeError(`Cannot limit ${String(context)}: experimentalDecorators is true, allowed is false.`)
    }
    const { kind, name } = context
    if (kind !== "method") throw new TypeError(`Cannot limit ${String(name)}: it is a ${kind}, allowed is a method.`)
    // Where the limiter answers by promise, so does the method, by its type.
    return wrap(limiter as SyncChecker, method, { ...options, key: options.key ?? String(name) })
  }
}

function isChecker(limit: PolicyInput | Checker): limit is Checker {
  return CHECKER.fits(limit)
}
