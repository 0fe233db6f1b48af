import { guardRequests } from "./guard.js"
import type { Handler, RateLimitOptions, ResponseHead } from "./rate-limit-options.js"
import { requireHandler } from "./require-options.js"

/** What an upgrade to a WebSocket answers on runtimes whose handlers then return nothing. */
const SWITCHING_PROTOCOLS: ResponseHead = { status: 101, headers: new Headers() }

/**
 * Puts a limit around a Web-standard handler, whatever calls it: `fetch` of a Worker, `Deno.serve`, `Bun.serve`, a
 * route of a framework.
 *
 * A request within its limit reaches the handler, and the response gets the RateLimit fields. A request over it gets a
 * 429 with `Retry-After` and problem details (RFC 9457) instead; waiting that long is enough. A request whose cost is
 * above the policy's capacity, or is no whole number, gets a 400 that says the largest cost allowed: no wait would help
 * it. One in whose URL a router may find another path than `new URL` gets a 400 too. Where the limiter cannot be asked,
 * `failMode` decides.
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
  requireHandler("handler", handler)
  const guard = guardRequests(options)
  return async function limited(request, ...rest) {
    const outcome = await guard(request, ...rest)
    if (!outcome.passes) return outcome.response
    let head: ResponseHead | null = null
    try {
      const response = await handler(request, ...rest)
      head = response ?? SWITCHING_PROTOCOLS
      return outcome.apply(response)
    } finally {
      outcome.done(head)
    }
  }
}
