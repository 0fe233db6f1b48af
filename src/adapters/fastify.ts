/**
 * Rate limiting for Fastify: `import { rateLimit } from "sluice/fastify"`.
 *
 * @module
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify"
import { guardRequests } from "../http/guard.js"
import type { RateLimitOptions } from "../http/rate-limit-options.js"
import type { Connection } from "./connection.js"
import { BODY_FIELDS, besideEarlier } from "./denial-fields.js"
import { clientSignal, isOpen, setFields, settleWith, webRequest } from "./node-message.js"

export type { Connection } from "./connection.js"

/** What functions of the options get after the request. */
type Rest = [request: FastifyRequest, connection: Connection]

/** The hook of one limit: for the options of a route, or `addHook`. */
export interface RateLimitHooks {
  onRequest(request: FastifyRequest, reply: FastifyReply): Promise<unknown>
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
 * @throws as `rateLimit` of `sluice/http`
 * @example
 * ```ts
 * import fastify from "fastify"
 * import { rateLimitHooks } from "sluice/fastify"
 *
 * fastify().post("/login", rateLimitHooks({ policy: "5/minute" }), async () => "welcome")
 * ```
 */
export function rateLimitHooks(options: RateLimitOptions<Rest>): RateLimitHooks {
  const guard = guardRequests(options)
  return {
    async onRequest(request, reply) {
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
    },
  }
}

/** Answers in place of the handler. Fastify's own HEAD routes measure what they do not send, and bytes are what they can. */
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
