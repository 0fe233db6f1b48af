/**
 * Rate limiting for itty-router: `import { rateLimit } from "sluice/itty-router"`.
 *
 * @module
 */
import type { RequestHandler, ResponseHandler } from "itty-router"
import { guardRequests, type Outcome } from "../http/guard.js"
import type { RateLimitOptions } from "../http/rate-limit-options.js"

/** The two ends of one limit: both are needed. */
export interface RateLimitHandlers {
  /** Decides; for `before` of a router, or among the handlers of a route. */
  readonly before: RequestHandler<Request>
  /** Writes the fields and settles; for `finally` of the router, after what makes a `Response`. */
  readonly finally: ResponseHandler<Response, Request>
}

/**
 * The handlers of a limit, for `before` and `finally` of a router. On a route, `before` goes among its handlers and
 * `finally` stays with the router.
 *
 * Functions of the options get what the router's handlers get: the request, then what `fetch` was called with.
 *
 * @throws as `rateLimit` of `sluice/http`
 * @example
 * ```ts
 * import { Router, text } from "itty-router"
 * import { rateLimit } from "sluice/itty-router"
 *
 * const limit = rateLimit({ policy: "100/minute" })
 * const router = Router({ before: [limit.before], finally: [text, limit.finally] })
 * router.get("/", () => "hello")
 * ```
 */
export function rateLimit<Args extends unknown[]>(options: RateLimitOptions<Args>): RateLimitHandlers {
  const guard = guardRequests(options)
  // On the request, since `withParams` puts a proxy in its place that a map would not know.
  const place = Symbol("sluice")
  type Marked = Request & { [place]?: Outcome }
  return {
    async before(request: Marked, ...args) {
      const outcome = await guard(request, ...(args as Args))
      request[place] = outcome
      return outcome.response
    },
    finally(response: unknown, request: Marked) {
      const outcome = request[place]
      if (!outcome?.passes) return undefined
      // A router that this one lies in may have the same handler at its end.
      delete request[place]
      const isAnswer = response instanceof Response
      outcome.done(isAnswer ? response : null)
      return isAnswer ? outcome.apply(response) : undefined
    },
  }
}
