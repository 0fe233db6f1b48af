import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http"
import type { AddressInfo, Socket } from "node:net"
import { setImmediate as nextTurn } from "node:timers/promises"
import { type ApiAnswer, type ApiRequest, MAX_BODY_BYTES } from "./api-request.js"
import { Backlog } from "./backlog.node.js"
import { Connection, type IncomingRequest } from "./connection.node.js"
import type { Api } from "./create-api.js"
import { NodeRequest } from "./node-request.node.js"
import { problemAnswer } from "./problem-answer.js"
import { reasonPhrase } from "./reason-phrase.node.js"
import { RequestError } from "./request-error.js"
import { Turn } from "./turn.node.js"
import { MAX_HEAD_BYTES, parserProblem, UnreadableRequest, versionRefused } from "./unreadable-request.node.js"

export interface ListenOptions {
  readonly host: string
  /** 0 for any that is free. */
  readonly port: number
  /** The most connections at once; further ones are closed. Default `DEFAULT_MAX_CONNECTIONS`. */
  readonly maxConnections?: number
  /** Told of each connection that is closed because there are as many as there may be. */
  readonly onRefused?: () => void
  /** How long what is being answered may take after `close`, ms; default 10 s. */
  readonly drainMs?: number
  /** How long a request may take to arrive, ms; default 30 s. Its head: a third of that. */
  readonly arrivalMs?: number
  /**
   * How long answers wait for a client that reads nothing of them, ms; default 30 s, longer than streams are silent.
   */
  readonly unreadMs?: number
}

export interface Listening {
  readonly url: string
  /**
   * Lets in who has connected, takes no more connections, answers what was asked on those it has, and ends streams. The
   * last answer on a connection says that it is closed; one on which nothing comes for a quarter of a second is closed
   * too.
   */
  close(): Promise<void>
}

export const DEFAULT_MAX_CONNECTIONS = 4096
const MAX_HEADERS = 100
const ARRIVAL_MS = 30_000
const UNREAD_MS = 30_000
/** How often Node looks whether the time of a request is up, and we for answers that nobody reads. */
const LOOK_MS = 1_000
const KEEP_ALIVE_MS = 65_000
/** The most connections that wait to be accepted. */
const MAX_BACKLOG = 511
/** In how many turns of the event loop nobody connects before `close` closes the socket that listens. */
const QUIET_TURNS = 8
/** After how many turns it does where they go on connecting. */
const MAX_TURNS = 4 * MAX_BACKLOG
/** How long a connection may be silent after `close` before it is ended: what is on its way then is answered. */
const QUIET_MS = 250

/** Where the API answers what it does not know itself, such as a page; `null` where nobody does. */
export type Fallback = (request: ApiRequest) => ApiAnswer | null

/**
 * Serves the API over HTTP/1.1 by Node's own server, whose parser refuses what two parsers could read in two ways.
 *
 * @param pages asked first: what it answers needs no token
 */
export async function listen(api: Api, options: ListenOptions, pages?: Fallback): Promise<Listening> {
  const {
    host,
    port,
    maxConnections = DEFAULT_MAX_CONNECTIONS,
    drainMs = 10_000,
    arrivalMs = ARRIVAL_MS,
    unreadMs = UNREAD_MS,
  } = options
  const { onRefused } = options
  const streams = new Set<AbortController>()
  const connections = new Map<Socket, Connection>()
  const backlog = new Backlog(connections, maxConnections)
  let isClosing = false

  async function answer(asked: IncomingRequest, connection: Connection): Promise<void> {
    if (asked instanceof UnreadableRequest) return connection.end(asked.answer())
    const { incoming, response } = asked
    try {
      const refusal = refusalOf(incoming)
      const answer = refusal !== null ? problemAnswer(refusal) : (pages?.(asked) ?? (await api.handle(asked)))
      const isLast =
        refusal !== null ||
        !response.shouldKeepAlive ||
        // What may last for hours shares its connection with nothing after it.
        answer.body instanceof ReadableStream ||
        // A body that was not read to its end stands before the next request.
        (!incoming.complete && asked.hasBody) ||
        // No other protocol is spoken (RFC 9110, section 7.8). Of what came with such an offer, Node's parser drops what
        // follows, and may take the middle of a request for the beginning of one.
        incoming.headers.upgrade !== undefined ||
        // What was asked before the client could know of the end is still answered.
        (isClosing && !connection.hasMore)
      if (isLast) {
        connection.answerNoMore()
        response.setHeader("Connection", "close")
      }
      if (answer.body instanceof ReadableStream) {
        if (isClosing) endStreams()
        await stream(answer, answer.body, response, connection.noteSending(0))
      } else {
        send(answer, answer.body, response, connection)
      }
    } catch {
      response.destroy()
    } finally {
      connection.next()
    }
  }

  function endStreams(): void {
    for (const stream of streams) stream.abort()
  }

  const server = createServer({
    maxHeaderSize: MAX_HEAD_BYTES,
    headersTimeout: Math.ceil(arrivalMs / 3),
    requestTimeout: arrivalMs,
    connectionsCheckingInterval: Math.min(arrivalMs, LOOK_MS),
    keepAliveTimeout: KEEP_ALIVE_MS,
    noDelay: true,
    // Refused with the others, and with a body that says why.
    requireHostHeader: false,
  })
  const turn = new Turn((asked: IncomingRequest) => connections.get(asked.socket)?.take(asked))
  server.on("connection", (socket) => {
    connections.set(socket, new Connection(socket, answer, backlog))
    // Node hears of a socket's errors itself, but no more once it was asked to CONNECT.
    socket.on("error", () => socket.destroy())
    socket.once("close", () => connections.delete(socket))
  })
  const onRequest = (incoming: IncomingMessage, response: ServerResponse) => {
    const request = new NodeRequest(incoming, response, streams)
    connections.get(incoming.socket)?.noteHead(request)
    turn.add(request)
  }
  server.on("request", onRequest)
  server.on("checkExpectation", onRequest)
  server.on("connect", ({ socket }) => {
    socket.resume()
    turn.add(new UnreadableRequest(socket, new RequestError(405, "Cannot serve the request: CONNECT is not allowed.")))
  })
  server.on("clientError", (error: NodeJS.ErrnoException, duplex) => {
    const socket = duplex as Socket
    const connection = connections.get(socket)
    // Nobody is there any more, or nobody reads on.
    if (connection === undefined || error.syscall !== undefined) return void socket.destroy()
    if (connection.isLast) return
    const problem = parserProblem(error)
    if (connection.unfinished !== null) connection.unfinished.failBody(problem)
    // Who never asked anything waits for no answer.
    else if (socket.bytesRead === 0) connection.end()
    else turn.add(new UnreadableRequest(socket, problem))
  })
  // A request that comes just as the time is up finds a connection that is closed, not one that is reset.
  server.on("timeout", (socket) => connections.get(socket)?.timeOut())
  // Who waits to be told to go on is refused before the body is sent, where the head tells already that it is too long.
  server.on("checkContinue", (incoming, response) => {
    if (!(Number(incoming.headers["content-length"]) > MAX_BODY_BYTES)) response.writeContinue()
    onRequest(incoming, response)
  })
  // They are counted here: above a count, versions of Node drop the rest unsaid, or call the head too long.
  server.maxHeadersCount = 0
  server.maxConnections = maxConnections
  if (onRefused !== undefined)
    server.on("drop", onRefused)
    // A client may close its side once it has asked; the answer still goes out. Node has no type for this.
  ;(server as Server & { httpAllowHalfOpen: boolean }).httpAllowHalfOpen = true

  await new Promise<void>((resolve, reject) => {
    server.once("error", reject)
    server.listen({ host, port, backlog: MAX_BACKLOG }, () => resolve())
  })
  const look = setInterval(
    () => {
      for (const connection of connections.values()) connection.limitUnread(unreadMs)
    },
    Math.min(unreadMs, LOOK_MS),
  ).unref()
  const { address, port: bound, family } = server.address() as AddressInfo
  return {
    url: `http://${family === "IPv6" ? `[${address}]` : address}:${bound}`,
    async close() {
      // Who is answered may connect again, and who is told of the end does: nobody is, until there is nowhere to
      // connect.
      turn.hold()
      await acceptWaiting(server)
      // Node would cut them at once, with what they are about to ask.
      server.closeIdleConnections = () => {}
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      isClosing = true
      endStreams()
      turn.release()
      const endQuiet = () => {
        for (const connection of connections.values()) connection.endIfQuiet()
      }
      endQuiet()
      const sweep = setInterval(endQuiet, QUIET_MS)
      const patience = setTimeout(() => server.closeAllConnections(), drainMs)
      await closed
      clearInterval(sweep)
      clearInterval(look)
      clearTimeout(patience)
    },
  }
}

/**
 * Lets those in who had connected by now: the kernel resets what waits where a socket that listens is closed. A turn of
 * the event loop accepts one. Turns in which nobody came make sure that the last is short: what connects between it and
 * the closing is reset still.
 */
async function acceptWaiting(server: Server): Promise<void> {
  let quietTurns = 0
  const onConnection = () => {
    quietTurns = 0
  }
  server.on("connection", onConnection)
  for (let turns = 0; turns < MAX_TURNS && quietTurns < QUIET_TURNS; turns++) {
    quietTurns++
    await nextTurn()
  }
  server.off("connection", onConnection)
}

/** What Node's parser lets pass, and another one before it may read in another way. */
function refusalOf({ headers, rawHeaders, httpVersion }: IncomingMessage): RequestError | null {
  if (httpVersion !== "1.1" && httpVersion !== "1.0") {
    return versionRefused()
  }
  const fields = rawHeaders.length / 2
  if (fields > MAX_HEADERS) {
    return new RequestError(431, `Cannot read the request: it has ${fields} header fields, allowed is ${MAX_HEADERS}.`)
  }
  const hosts = hostsIn(rawHeaders)
  // RFC 9112, section 3.2. Of several, the parser takes the first, another one may take the last.
  if (hosts > 1 || (hosts === 0 && httpVersion === "1.1")) {
    return new RequestError(400, `Cannot read the request: it has ${hosts} Host fields, allowed is one.`)
  }
  const coding = headers["transfer-encoding"]
  if (coding !== undefined && coding.toLowerCase() !== "chunked") {
    return new RequestError(400, "Cannot read the request: its Transfer-Encoding is not allowed, allowed is chunked.")
  }
  const { expect } = headers
  if (expect !== undefined && expect.toLowerCase() !== "100-continue") {
    return new RequestError(417, "Cannot read the request: what it expects is not known, allowed is 100-continue.")
  }
  return null
}

function hostsIn(rawHeaders: readonly string[]): number {
  let hosts = 0
  for (let at = 0; at < rawHeaders.length; at += 2) {
    if (rawHeaders[at]!.length === 4 && rawHeaders[at]!.toLowerCase() === "host") hosts += 1
  }
  return hosts
}

function send(
  { status, headers }: ApiAnswer,
  body: string | Uint8Array | null,
  response: ServerResponse,
  connection: Connection,
): void {
  const length = body === null ? 0 : Buffer.byteLength(body)
  response.writeHead(status, reasonPhrase(status), status === 304 ? headers : { ...headers, "Content-Length": length })
  response.end(response.req.method === "HEAD" ? null : body, connection.noteSending(length))
}

async function stream(
  { status, headers }: ApiAnswer,
  body: ReadableStream<Uint8Array>,
  response: ServerResponse,
  noteSent: () => void,
): Promise<void> {
  response.writeHead(status, reasonPhrase(status), headers)
  if (response.req.method === "HEAD") {
    response.end(noteSent)
    return body.cancel()
  }
  response.flushHeaders()
  const reader = body.getReader()
  let goOn = () => {}
  response.on("drain", () => goOn())
  response.once("close", () => {
    goOn()
    void reader.cancel().catch(() => {})
  })
  for (;;) {
    const { done, value } = await reader.read()
    if (done) break
    if (!response.write(value) && !response.destroyed) {
      await new Promise<void>((resolve) => {
        goOn = resolve
      })
    }
  }
  response.end(noteSent)
}
