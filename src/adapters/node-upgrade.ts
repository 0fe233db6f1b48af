import type { Buffer } from "node:buffer"
import type { IncomingMessage } from "node:http"
import type { Duplex } from "node:stream"
import { guardRequests } from "../http/guard.js"
import { requireHandler } from "../http/require-options.js"
import { connectionOf, type Rest, reportTo } from "./node-listener.js"
import { webRequest } from "./node-message.js"
import { refuseResponseOptions, type WithoutResponses } from "./response-options.js"

/**
 * The options of a limit on upgrades. What the listener answers goes past it, so what would follow from that is left
 * out.
 */
export type UpgradeOptions = WithoutResponses<Rest<IncomingMessage>>

/** A listener of a server's event `upgrade`. */
type UpgradeListener = (request: IncomingMessage, socket: Duplex, head: Buffer) => unknown

/** By any of these the client has gone before it has its answer. */
const LEAVES = ["end", "error", "close"] as const

/**
 * Puts a limit around a listener of a server's event `upgrade`, by which WebSockets are opened: Node hands what such a
 * listener is there for to no other, so neither Express nor `rateLimit` sees it.
 *
 * Functions of the options get the request as those of `rateLimit` do. A denial is answered in the listener's place and
 * closes the connection; what the listener answers gets no fields. What it throws closes the connection and is told to
 * `onError`, or else to the console. A client that leaves before the limiter has answered stays charged and reaches no
 * listener.
 *
 * @throws {RangeError} where an option needs the listener's response, beside what `rateLimit` throws
 * @example
 * ```ts
 * import { createServer } from "node:http"
 * import { rateLimitUpgrade } from "sluice/node"
 *
 * const server = createServer()
 * // In place of end(): webSocketServer.handleUpgrade(request, socket, head, …), with the package ws.
 * server.on("upgrade", rateLimitUpgrade((_request, socket) => socket.end(), { policy: "10/minute" }))
 * ```
 */
export function rateLimitUpgrade(
  listener: UpgradeListener,
  options: UpgradeOptions,
): (request: IncomingMessage, socket: Duplex, head: Buffer) => Promise<void> {
  requireHandler("listener", listener)
  refuseResponseOptions(options, "rateLimit")
  const guard = guardRequests<Rest<IncomingMessage>>(options)

  return async function limited(message, socket, head) {
    const gone = new AbortController()
    const leave = () => gone.abort()
    // An error that nobody listens for would end the process.
    for (const event of LEAVES) socket.on(event, leave)
    // Nobody waits for this promise: were it rejected, the process would end.
    let request: Request
    try {
      request = webRequest(message, message.url, gone.signal)
    } catch {
      return refuse(new Response(null, { status: 400 }), socket)
    }
    try {
      const outcome = await guard(request, message, connectionOf(message))
      if (gone.signal.aborted) socket.destroy()
      else if (!outcome.passes) await refuse(outcome.response, socket)
      else {
        for (const event of LEAVES) socket.off(event, leave)
        await listener(message, socket, head)
      }
    } catch (error) {
      reportTo(options, error, request, message, connectionOf(message))
      socket.destroy()
    }
  }
}

/** Answers in place of the listener, and ends the connection. */
async function refuse(denial: Response, socket: Duplex): Promise<void> {
  const body = new Uint8Array(await denial.arrayBuffer())
  const headers = new Headers(denial.headers)
  headers.delete("transfer-encoding")
  headers.set("content-length", String(body.length))
  headers.set("connection", "close")
  const lines = [...headers].map(([name, value]) => `${name}: ${value}\r\n`)
  socket.once("finish", () => socket.destroy())
  socket.write(`HTTP/1.1 ${denial.status} ${denial.statusText}\r\n${lines.join("")}\r\n`, "latin1")
  socket.end(body)
}
