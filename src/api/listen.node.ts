import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http"
import type { AddressInfo, Socket } from "node:net"
import type { ApiAnswer, ApiRequest } from "./api-request.js"
import type { Api } from "./create-api.js"
import { NodeRequest } from "./node-request.node.js"
import { RequestLine } from "./request-line.node.js"
import { Turn } from "./turn.node.js"

export interface ListenOptions {
  readonly host: string
  /** 0 for any that is free. */
  readonly port: number
  /** The most connections at once; further ones are closed. Default 4096. */
  readonly maxConnections?: number
  /** How long what is being answered may take after `close`, ms; default 10 s. */
  readonly drainMs?: number
}

export interface Listening {
  readonly url: string
  /** Takes no more requests, answers those it has, and ends streams. */
  close(): Promise<void>
}

const MAX_HEADER_BYTES = 16_384
const MAX_HEADERS = 100
const HEADERS_TIMEOUT_MS = 10_000
const REQUEST_TIMEOUT_MS = 30_000
const KEEP_ALIVE_MS = 65_000
/** What a client gets to read its last answer before its connection is cut. */
const LAST_BYTES_MS = 100

/** Where the API answers what it does not know itself, such as a page; `null` where nobody does. */
export type Fallback = (request: ApiRequest) => ApiAnswer | null

/**
 * Serves the API over HTTP/1.1 by Node's own server, whose parser refuses what two parsers could read in two ways.
 *
 * @param pages asked first: what it answers needs no token
 */
export async function listen(api: Api, options: ListenOptions, pages?: Fallback): Promise<Listening> {
  const { host, port, maxConnections = 4096, drainMs = 10_000 } = options
  const streams = new Set<AbortController>()
  let isClosing = false
  let answering = 0
  let tellAnswered = () => {}

  function answered(): Promise<void> {
    if (answering === 0) return Promise.resolve()
    return new Promise((resolve) => {
      tellAnswered = resolve
    })
  }

  function noteAnswered(): void {
    answering--
    if (answering === 0) tellAnswered()
  }

  async function answer(request: NodeRequest, line: RequestLine): Promise<void> {
    const { incoming, response } = request
    try {
      if (line.isRefused) return void response.destroy()
      if (hasSeveralHosts(incoming)) {
        // Node's parser takes the first (RFC 9112, section 3.2), another one may take the last.
        line.isRefused = true
        return void response.writeHead(400, { Connection: "close", "Content-Length": 0 }).end()
      }
      const answer = pages?.(request) ?? (await api.handle(request))
      if (isClosing) response.setHeader("Connection", "close")
      // A body that was not read to its end stands before the next request.
      if (!incoming.complete && request.hasBody) response.setHeader("Connection", "close")
      if (answer.body instanceof ReadableStream) await stream(answer, answer.body, response)
      else send(answer, answer.body, response)
    } catch {
      response.destroy()
    } finally {
      const isSent = response.writableEnded && response.writableLength === 0
      if (isSent || response.closed) noteAnswered()
      else response.once("close", noteAnswered)
      line.next()
    }
  }

  const server = createServer({
    maxHeaderSize: MAX_HEADER_BYTES,
    headersTimeout: HEADERS_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    noDelay: true,
  })
  const lines = new WeakMap<Socket, RequestLine>()
  const turn = new Turn((request: NodeRequest) => {
    const { socket } = request.incoming
    let line = lines.get(socket)
    if (line === undefined) {
      line = new RequestLine(answer)
      lines.set(socket, line)
    }
    line.take(request)
  })
  const onRequest = (incoming: IncomingMessage, response: ServerResponse) => {
    answering++
    turn.add(new NodeRequest(incoming, response, streams))
  }
  server.on("request", onRequest)
  // Who waits to be told to go on is refused before the body is sent, where the head tells already that it is too long.
  server.on("checkContinue", (incoming, response) => {
    if (!(Number(incoming.headers["content-length"]) > 65_536)) response.writeContinue()
    onRequest(incoming, response)
  })
  server.maxHeadersCount = MAX_HEADERS
  server.maxConnections = maxConnections
  // A client may close its side once it has asked; the answer still goes out. Node has no type for this.
  ;(server as Server & { httpAllowHalfOpen: boolean }).httpAllowHalfOpen = true

  await new Promise<void>((resolve, reject) => {
    server.once("error", reject)
    server.listen({ host, port }, () => resolve())
  })
  const { address, port: bound, family } = server.address() as AddressInfo
  return {
    url: `http://${family === "IPv6" ? `[${address}]` : address}:${bound}`,
    async close() {
      isClosing = true
      for (const stream of streams) stream.abort()
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      server.closeIdleConnections()
      const patience = setTimeout(() => server.closeAllConnections(), drainMs)
      // A connection that has asked nothing yet is not idle to Node; once all are answered nobody is waited for.
      await answered()
      const last = setTimeout(() => server.closeAllConnections(), LAST_BYTES_MS)
      await closed
      clearTimeout(patience)
      clearTimeout(last)
    },
  }
}

function hasSeveralHosts({ rawHeaders }: IncomingMessage): boolean {
  let hosts = 0
  for (let at = 0; at < rawHeaders.length; at += 2) {
    if (rawHeaders[at]!.length === 4 && rawHeaders[at]!.toLowerCase() === "host") hosts += 1
  }
  return hosts > 1
}

function send({ status, headers }: ApiAnswer, body: string | Uint8Array | null, response: ServerResponse): void {
  const length = body === null ? 0 : Buffer.byteLength(body)
  response.writeHead(status, status === 304 ? headers : { ...headers, "Content-Length": length })
  response.end(response.req.method === "HEAD" ? null : body)
}

/** What may last for hours shares its connection with nothing after it. */
async function stream(
  { status, headers }: ApiAnswer,
  body: ReadableStream<Uint8Array>,
  response: ServerResponse,
): Promise<void> {
  response.writeHead(status, { ...headers, Connection: "close" })
  if (response.req.method === "HEAD") {
    response.end()
    return body.cancel()
  }
  response.flushHeaders()
  const reader = body.getReader()
  response.once("close", () => void reader.cancel().catch(() => {}))
  for (;;) {
    const { done, value } = await reader.read()
    if (done) break
    if (!response.write(value)) {
      await new Promise((resolve) => {
        response.once("drain", resolve)
        response.once("close", resolve)
      })
    }
  }
  response.end()
}
