/**
 * Rate limiting for Next: `import { rateLimit } from "sluice/next"`.
 *
 * @module
 */
import type { NextFetchEvent, NextRequest } from "next/server.js"
import { rateLimit as limitHandler } from "../http/rate-limit.js"
import type { RateLimitOptions } from "../http/rate-limit-options.js"
import { requireHandler } from "../http/require-options.js"
import { refuseResponseOptions, type WithoutResponses } from "./response-options.js"

/** What runs behind the limit: a proxy of your own. Where it returns nothing, the request goes on. */
type Proxy = (request: NextRequest, event: NextFetchEvent) => unknown

/**
 * The options of a proxy. It runs before the page and never sees the page's response, so what follows from that is left
 * out; and Next tells it of no connection, so it needs a `key`, `limits` with keys, or an `address` to believe.
 */
export type ProxyOptions = WithoutResponses<[event: NextFetchEvent]>

/** By this Next knows that a proxy lets a request go on, as `NextResponse.next()` says it. */
const GO_ON = { "x-middleware-next": "1" }

/**
 * A `proxy` for `proxy.ts` (`middleware` for `middleware.ts` before Next 16): limits what Next's `config.matcher`
 * names.
 *
 * Functions of the options get Next's request, then its event.
 *
 * @param proxy runs for requests within their limit, whose answer gets the fields; without it they go on
 * @throws {RangeError} where there is neither `key`, `limits` nor `address`, or an option that needs the page's
 * response, beside what `rateLimit` of `sluice/http` throws
 * @example
 * ```ts
 * import { rateLimit } from "sluice/next"
 *
 * export const proxy = rateLimit({ policy: "100/minute", address: { header: "X-Real-IP" } })
 * export const config = { matcher: "/api/:path*" }
 * ```
 */
export function rateLimit(
  options: ProxyOptions,
  proxy?: Proxy,
): (request: NextRequest, event: NextFetchEvent) => Promise<Response> {
  if (proxy !== undefined) requireHandler("proxy", proxy)
  requireKeySource(options)
  // A proxy's own answer would stand for the page's.
  refuseResponseOptions(options, "rateLimitRoute")
  const limited = limitHandler<[event: NextFetchEvent]>(async (request, event) => {
    const answer = await proxy?.(request as NextRequest, event)
    return answer instanceof Response ? answer : new Response(null, { headers: GO_ON })
  }, options)
  return (request, event) => limited(request, event)
}

/**
 * Puts a limit around a Route Handler, such as `export const POST = rateLimitRoute(async (request) => …, options)`.
 *
 * Functions of the options get the request, then the context with its `params`.
 *
 * @throws as `rateLimit` of this module
 * @example
 * ```ts
 * import { rateLimitRoute } from "sluice/next"
 *
 * export const GET = rateLimitRoute(() => new Response("hello"), {
 *   policy: "100/minute",
 *   address: { header: "X-Real-IP" },
 *   skipFailedRequests: true,
 * })
 * ```
 */
export function rateLimitRoute<Context>(
  handler: (request: NextRequest, context: Context) => Response | Promise<Response>,
  options: RateLimitOptions<[context: Context]>,
): (request: NextRequest, context: Context) => Promise<Response> {
  requireHandler("handler", handler)
  requireKeySource(options)
  return limitHandler<[context: Context]>((request, context) => handler(request as NextRequest, context), options)
}

/** Without one, all clients would share one key. */
function requireKeySource({ key, limits, address }: Pick<RateLimitOptions<never>, "key" | "limits" | "address">): void {
  if (address !== undefined || (limits ?? [{ key }]).every((limit) => limit.key !== undefined)) return
  throw new RangeError("Cannot rate limit: there is neither key nor address, and Next tells of no connection.")
}
