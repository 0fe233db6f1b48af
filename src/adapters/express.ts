/**
 * Rate limiting for Express and Connect: `import { rateLimit } from "sluice/express"`.
 *
 * @module
 */
import type { IncomingMessage, ServerResponse } from "node:http"
import type { Request as ExpressRequest } from "express"
import { guardRequests } from "../http/guard.js"
import type { RateLimitOptions } from "../http/rate-limit-options.js"
import type { Connection } from "./connection.js"
import { admit, clientSignal, sendResponse, webRequest } from "./node-message.js"

export type { Connection } from "./connection.js"

/** What the frameworks add to Node's request. */
type Framed = IncomingMessage & { readonly originalUrl?: string; readonly ip?: string | undefined }

/**
 * What middleware takes whose options go by Express' request of any route: like Express' own, it says nothing of it, so
 * that the parameters of a route keep the types that its path gives them.
 */
type Taken<Incoming> = ExpressRequest extends Incoming ? IncomingMessage : Incoming

/**
 * Middleware for `app.use` and for routes.
 *
 * Functions of the options get the request's head as a Web-standard `Request`, then Express' own, with all that
 * middleware before put there. The default key is Express' `req.ip`, which heeds `trust proxy`; with Connect and Polka,
 * the address of the connection. Refunds and penalties follow when the response has gone out.
 *
 * @throws as `rateLimit` of `sluice/http`
 * @example
 * ```ts
 * import express from "express"
 * import { rateLimit } from "sluice/express"
 *
 * const app = express()
 * app.use(rateLimit({ policy: "100/minute" }))
 * app.get("/", (_request, response) => void response.send("hello"))
 * ```
 */
export function rateLimit<Incoming extends IncomingMessage = ExpressRequest>(
  options: RateLimitOptions<[request: Incoming, connection: Connection]>,
): (request: Taken<Incoming>, response: ServerResponse, next: (error?: unknown) => void) => void {
  const guard = guardRequests(options)

  async function limit(message: Incoming, response: ServerResponse): Promise<boolean> {
    const { originalUrl, url, ip, socket }: Framed = message
    const wasAnswered = response.headersSent
    const signal = clientSignal(options, response)
    const request = webRequest(message, originalUrl ?? url, signal)
    const outcome = await guard(request, message, { remoteAddress: ip ?? socket.remoteAddress })
    if (outcome.passes) admit(outcome, response)
    else await sendResponse(outcome.response, response)
    // What another middleware answered meanwhile, such as one that waits no longer, is not to be answered again.
    return outcome.passes && (wasAnswered || !response.headersSent)
  }

  return function rateLimitMiddleware(request, response, next) {
    // Frameworks such as Polka throw out of `next` what a route throws, and here nobody would catch it.
    limit(request as Incoming, response)
      .then((passes) => passes && next())
      .catch(next)
  }
}
