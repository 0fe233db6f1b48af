/**
 * Rate limiting for Fastify: `import { rateLimit } from "sluice/fastify"`.
 *
 * @module
 */
import type { FastifyInstance, FastifyReply, FastifyRequest, RawServerBase, RouteGenericInterface } from "fastify"
import { guardRequests } from "../http/guard.js"
import type { RateLimitOptions } from "../http/rate-limit-options.js"
import type { Connection } from "./connection.js"
import { BODY_FIELDS, besideEarlier } from "./denial-fields.js"
import { clientSignal, isOpen, setFields, settleWith, webRequest } from "./node-message.js"

export type { Connection } from "./connection.js"

/** What functions of the options get after the request. */
type Rest = [request: FastifyRequest, connection: Connection]

/**
 * The hook of one limit: for the options of a route, or `addHook`. It may also be a `preHandler`, which comes after the
 * body is read and after what other hooks find out.
 */
export interface RateLimitHooks {
  onRequest(
    request: FastifyRequest<RouteGenericInterface, RawServerBase>,
    reply: FastifyReply<RouteGenericInterface, RawServerBase>,
  ): Promise<unknown>
}

/**
 * A plugin that limits all routes of the instance that registers it, and of those within.
 *
 * Functions of the options get the request's head as a Web-standard `Request`, then Fastify's own. The default key is
 * Fastify's `request.ip`, which heeds `trustProxy`. Refunds and penalties follow when the response has gone out.
 *
 * @throws as `rateLimit` of `sluice/http`
 * @example
 * ```ts
 * import fastify from "fastify"
 * import { rateLimit } from "sluice/fastify"
 *
 * const app = fastify()
 * app.register(rateLimit({ policy: "100/minute" }))
 * app.get("/", async () => "hello")
 * ```
 */
export function rateLimit(
  options: RateLimitOptions<Rest>,
): (instance: FastifyInstance, options: object, done: () => void) => void {
  const hooks = rateLimitHooks(options)
  function sluice(instance: FastifyInstance, _options: object, done: () => void): void {
    instance.addHook("onRequest", hooks.onRequest)
    done()
  }
  // Fastify's own sign for a plugin whose hooks are for the instance that registers it.
  return Object.assign(sluice, { [Symbol.for("skip-override")]: true })
}

/**
 * The hooks of a limit, for some routes only.
 *
 * As given, they ask before the body is read, so functions of the options see none. What goes by the body, or by what
 * `preHandler` hooks find out, is for `{ preHandler: rateLimitHooks(options).onRequest }`.
 *
 * @throws as `rateLimit` of `sluice/http`
 * @example
 * ```ts
 * import fastify from "fastify"
 * import { rateLimitHooks } from "sluice/fastify"
 *
 * const app = fastify()
 * app.post("/login", rateLimitHooks({ policy: "5/minute" }), async () => "welcome")
 *
 * const { onRequest } = rateLimitHooks({
 *   policy: "10000/minute",
 *   cost: (_request, { body }) => (body as { tokens: number }).tokens,
 * })
 * app.post("/model", { preHandler: onRequest }, async () => "answer")
 * ```
 */
export function rateLimitHooks(options: RateLimitOptions<Rest>): RateLimitHooks {
  const guard = guardRequests(options)
  async function onRequest(request: FastifyRequest, reply: FastifyReply): Promise<unknown> {
    const signal = clientSignal(options, reply.raw)
    const web = webRequest(request.raw, request.originalUrl, signal)
    const outcome = await guard(web, request, { remoteAddress: request.ip })
    if (!outcome.passes) return sendDenial(outcome.response, request, reply)
    setFields(
      outcome.fields,
      (name) => reply.getHeader(name),
      (name, value) => reply.header(name, value),
    )
    settleWith(outcome, reply.raw, () => reply.getHeaders())
    return undefined
  }
  // Node gives HTTP/2 the same methods; only their types differ.
  return { onRequest }
}

/**
 * Answers in place of the handler. Fastify's own HEAD routes measure what they do not send, and bytes are what they
 * can.
 */
async function sendDenial(denial: Response, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  // So Fastify sends nothing itself, and asks no handler.
  if (!isOpen(reply.raw)) return reply.hijack()
  for (const name of [...BODY_FIELDS, "transfer-encoding"]) if (reply.hasHeader(name)) reply.removeHeader(name)
  reply.code(denial.status)
  const rawCookies = reply.raw.getHeader("set-cookie")
  // Fastify's own cookies would stand for those that were set past it.
  if (rawCookies) reply.header("set-cookie", rawCookies)
  for (const [name, value] of denial.headers) {
    // Fastify itself adds cookies to those that are there.
    reply.header(name, besideEarlier(name, value, reply.getHeader(name)))
  }
  const { body } = denial
  if (body === null) return reply.send()
  return reply.send(request.method === "HEAD" ? new Uint8Array(await denial.arrayBuffer()) : body)
}
