/**
 * Rate limiting for Fastify: `import { rateLimit } from "sluice/fastify"`.
 *
 * @module
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify"
import { guardRequests, type Outcome } from "../http/guard.js"
import type { RateLimitOptions } from "../http/rate-limit-options.js"
import type { Connection } from "./connection.js"
import {
  BODY_FIELDS,
  clientSignal,
  headOf,
  isOpen,
  setFields,
  webRequest,
  whenClosed,
  withItemsBefore,
} from "./node-message.js"

export type { Connection } from "./connection.js"

/** What functions of the options get after the request. */
type Rest = [request: FastifyRequest, connection: Connection]

/** The hooks of one limit: for the options of a route, or `addHook`. */
export interface RateLimitHooks {
  onRequest(request: FastifyRequest, reply: FastifyReply): Promise<unknown>
  onResponse(request: FastifyRequest, reply: FastifyReply): Promise<void>
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
    instance.addHook("onResponse", hooks.onResponse)
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
  const outcomes = new WeakMap<FastifyRequest, Outcome>()
  function settle(request: FastifyRequest, reply: FastifyReply): void {
    const outcome = outcomes.get(request)
    outcomes.delete(request)
    // The charge of a client that has gone before its answer began stays.
    if (reply.raw.headersSent) outcome?.done(headOf(reply.statusCode, reply.getHeaders()))
  }
  return {
    async onRequest(request, reply) {
      const signal = options.delay ? clientSignal(reply.raw) : undefined
      const web = webRequest(request.raw, request.originalUrl, signal)
      const outcome = await guard(web, request, { remoteAddress: request.ip })
      if (!outcome.passes) return sendDenial(outcome.response, request, reply)
      setFields(
        outcome.fields,
        (name) => reply.getHeader(name),
        (name, value) => reply.header(name, value),
      )
      outcomes.set(request, outcome)
      // Fastify tells of a response that has gone out, and neither of one whose client went midway nor of one that was
      // sent while the limiter was asked.
      whenClosed(reply.raw, () => settle(request, reply))
      return undefined
    },
    async onResponse(request, reply) {
      settle(request, reply)
    },
  }
}

/** Answers in place of the handler. Fastify's own HEAD routes measure what they do not send, and bytes are what they can. */
async function sendDenial(denial: Response, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  // So Fastify sends nothing itself, and asks no handler.
  if (!isOpen(reply.raw)) return reply.hijack()
  for (const name of BODY_FIELDS) reply.removeHeader(name)
  const response = withItemsBefore(denial, (name) => reply.getHeader(name))
  if (request.method !== "HEAD") return reply.send(response)
  reply.code(response.status)
  for (const [name, value] of response.headers) reply.header(name, value)
  return reply.send(response.body === null ? undefined : new Uint8Array(await response.arrayBuffer()))
}
