/**
 * Rate limiting for Node's own server: `import { rateLimit } from "sluice/node"`.
 *
 * @module
 */
import type { IncomingMessage, ServerResponse } from "node:http"
import { guardRequests } from "../http/guard.js"
import type { RateLimitOptions } from "../http/rate-limit-options.js"
import type { Connection } from "./connection.js"
import { admit, clientSignal, sendResponse, webRequest } from "./node-message.js"

export type { Connection } from "./connection.js"

/** What functions of the options get after the request. */
type Rest = [message: IncomingMessage, connection: Connection]

/**
 * Puts a limit around a listener of `http.createServer`, and of `https` and HTTP/2 servers in compatibility mode.
 *
 * Functions of the options get the request's head as a Web-standard `Request` (its body stays with Node's), then Node's
 * own. Refunds and penalties follow when the response has gone out.
 *
 * @throws as `rateLimit` of `sluice/http`
 * @example
 * ```ts
 * import { createServer } from "node:http"
 * import { rateLimit } from "sluice/node"
 *
 * const server = createServer(rateLimit((_request, response) => response.end("hello"), { policy: "100/minute" }))
 * ```
 */
export function rateLimit<Incoming extends IncomingMessage, Outgoing extends ServerResponse>(
  listener: (request: Incoming, response: Outgoing) => unknown,
  options: RateLimitOptions<Rest>,
): (request: Incoming, response: Outgoing) => Promise<void> {
  const guard = guardRequests(options)
  return async function limited(message, response) {
    const signal = options.delay ? clientSignal(response) : undefined
    const { remoteAddress } = message.socket
    const outcome = await guard(webRequest(message, message.url, signal), message, { remoteAddress })
    if (outcome.response) return sendResponse(outcome.response, response)
    admit(outcome, response)
    await listener(message, response)
  }
}
