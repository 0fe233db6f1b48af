/**
 * Rate limiting for Hono: `import { rateLimit } from "sluice/hono"`.
 *
 * @module
 */
import type { Context, Env, MiddlewareHandler } from "hono"
import { guardRequests } from "../http/guard.js"
import { socketAddress } from "../http/keys/socket-address.js"
import type { RateLimitOptions, ResponseHead } from "../http/rate-limit-options.js"
import type { Connection } from "./connection.js"
import { BODY_FIELDS, besideEarlier } from "./denial-fields.js"

export type { Connection } from "./connection.js"

/**
 * Middleware for `app.use` and for routes, on every runtime that Hono runs on.
 *
 * Functions of the options get the request, then Hono's context with all that middleware before put there. The default
 * key is the address of the connection, as `@hono/node-server`, Deno and Bun tell it, and on Cloudflare
 * `CF-Connecting-IP`.
 *
 * @throws as `rateLimit` of `sluice/http`
 * @example
 * ```ts
 * import { Hono } from "hono"
 * import { rateLimit } from "sluice/hono"
 *
 * const app = new Hono()
 * app.use(rateLimit({ policy: "100/minute", key: () => "everybody" }))
 * app.get("/", (context) => context.text("hello"))
 * const response = await app.request("/")
 * response.headers.get("RateLimit") // '"default";r=99;t=1'
 * ```
 */
// biome-ignore lint/suspicious/noExplicitAny: Hono's own default, so that the middleware fits apps of every Env
export function rateLimit<E extends Env = any>(
  options: RateLimitOptions<[context: Context<E>, connection: Connection]>,
): MiddlewareHandler<E> {
  const guard = guardRequests(options)
  return async function rateLimitMiddleware(context, next) {
    const outcome = await guard(context.req.raw, context, connectionOf(context))
    if (!outcome.passes) return answer(context, denialFor(context, outcome.response))
    let head: ResponseHead | null = null
    try {
      await next()
      head = context.res
    } finally {
      outcome.done(head)
    }
    const response = outcome.apply(context.res)
    if (response !== context.res) answer(context, response)
    return undefined
  }
}

/**
 * A denial beside what middleware before set on the answer to come, which Hono gives to the answers that it makes
 * itself.
 */
function denialFor<E extends Env>(context: Context<E>, denial: Response): Response {
  const headers = new Headers(context.res.headers)
  for (const name of [...BODY_FIELDS, "transfer-encoding"]) headers.delete(name)
  if (headers.keys().next().done) return denial
  // An answer by Hono's own context has the cookies and Vary already that were set on it before.
  const [cookies, vary] = [headers.getSetCookie(), headers.get("vary")?.split(/, */) ?? []]
  for (const [name, value] of denial.headers) {
    if (name === "vary") headers.set(name, [...new Set([...vary, ...value.split(/, */)])].join(", "))
    else if (name !== "set-cookie") headers.set(name, besideEarlier(name, value, headers.get(name)))
    else if (!cookies.includes(value)) headers.append(name, value)
  }
  const { status, statusText } = denial
  return new Response(denial.body, { status, statusText, headers })
}

/** Hono merges the fields of a response that is replaced into the new one, which has them already. */
function answer<E extends Env>(context: Context<E>, response: Response): Response {
  context.res = undefined
  context.res = response
  return response
}

function connectionOf<E extends Env>(context: Context<E>): Connection {
  // Runtimes put their connection into Hono's env; with Bun it may be Bun's server itself, or be called so.
  const { env } = context as { env: { server?: unknown } | undefined }
  const remoteAddress = socketAddress(context.req.raw, [env, env?.server])
  return {
    remoteAddress,
    // Where the runtime has none, each look costs an error that is thrown; most requests need none.
    get waitUntil() {
      return waitUntilOf(context)
    },
  }
}

function waitUntilOf<E extends Env>(context: Context<E>): Connection["waitUntil"] {
  try {
    const { executionCtx } = context
    return (work) => executionCtx.waitUntil(work)
  } catch {
    return undefined // Hono throws where the runtime has none.
  }
}
