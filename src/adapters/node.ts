/**
 * Rate limiting for Node's own server: `import { rateLimit } from "sluice/node"`.
 *
 * @module
 */
import type { IncomingMessage, ServerResponse } from "node:http"
import type { Http2ServerRequest, Http2ServerResponse } from "node:http2"
import { guardRequests } from "../http/guard.js"
import type { RateLimitOptions } from "../http/rate-limit-options.js"
import { requireHandler } from "../http/require-options.js"
import { connectionOf, type Rest, reportTo } from "./node-listener.js"
import { admit, clientSignal, isOpen, sendResponse, sendStatus, webRequest } from "./node-message.js"

export type { Connection } from "./connection.js"
export { rateLimitUpgrade, type UpgradeOptions } from "./node-upgrade.js"

type Listener<Incoming, Outgoing> = (request: Incoming, response: Outgoing) => unknown
type Limited<Incoming, Outgoing> = (request: Incoming, response: Outgoing) => Promise<void>

/** An application of Express or Connect: a listener, which Express says to be one of its own requests as well. */
interface Application extends Listener<IncomingMessage, ServerResponse> {
  readonly use: unknown
}

/** The same around an application of Express or Connect: functions of the options get what Node has, before it does. */
export function rateLimit(
  listener: Application,
  options: RateLimitOptions<Rest<IncomingMessage>>,
): Limited<IncomingMessage, ServerResponse>
/**
 * Puts a limit around a listener of `http.createServer`, and of `https` and HTTP/2 servers in compatibility mode.
 *
 * Functions of the options get the request's head as a Web-standard `Request` (its body stays with Node's), then Node's
 * own. Refunds and penalties follow when the response has gone out. What the listener throws is answered with a 500 and
 * told to `onError`, or else to the console: no request ends the process.
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
export function rateLimit<
  Incoming extends IncomingMessage | Http2ServerRequest,
  Outgoing extends ServerResponse | Http2ServerResponse,
>(listener: Listener<Incoming, Outgoing>, options: RateLimitOptions<Rest<Incoming>>): Limited<Incoming, Outgoing>
export function rateLimit<
  Incoming extends IncomingMessage | Http2ServerRequest,
  Outgoing extends ServerResponse | Http2ServerResponse,
>(listener: Listener<Incoming, Outgoing>, options: RateLimitOptions<Rest<Incoming>>): Limited<Incoming, Outgoing> {
  requireHandler("listener", listener)
  const guard = guardRequests(options)
  return async function limited(message, outgoing) {
    // Node gives HTTP/2 the same methods; only their types differ.
    const [incoming, response] = [message as IncomingMessage, outgoing as ServerResponse]
    // Nobody waits for this promise: were it rejected, the process would end.
    let request: Request
    try {
      request = webRequest(incoming, incoming.url, clientSignal(options, response))
    } catch {
      return sendStatus(400, response)
    }
    try {
      await answer(request, message, outgoing)
    } catch (error) {
      reportTo(options, error, request, message, connectionOf(message))
      sendStatus(500, response)
    }
  }

  async function answer(request: Request, message: Incoming, outgoing: Outgoing): Promise<void> {
    const response = outgoing as ServerResponse
    const outcome = await guard(request, message, connectionOf(message))
    if (!outcome.passes) return sendResponse(outcome.response, response)
    const settle = admit(outcome, response)
    await listener(message, outgoing)
    // Koa, for one, may answer no client that has gone. The status that it leaves tells what it would have answered;
    // 200 is there from the start, but its text is not. HTTP/2 has none, and Node warns of who reads it.
    const isLeft = response.statusCode !== 200 || (!("stream" in response) && response.statusMessage)
    if (!isOpen(response) && isLeft) settle()
  }
}
