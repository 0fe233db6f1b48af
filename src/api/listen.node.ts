import { isUtf8 } from "node:buffer"
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http"
import type { AddressInfo, Socket } from "node:net"
import type { ApiAnswer, ApiRequest } from "./api-request.js"
import type { Api } from "./create-api.js"
import { tooLarge } from "./fetch-request.js"
import { RequestError } from "./request-error.js"
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
  const turn = new Turn()
  let isClosing = false
  let answering = 0
  let tellAnswered = () => {}

  function answered(): Promise<void> {
    if (answering === 0) return Promise.resolve()
    return new Promise((resolve) => {
      tellAnswered = resolve
    })
  }

  /**
   * Connections on which a request named several hosts (RFC 9112, section 3.2): Node's parser takes the first, another
   * one may take the last. Nothing that follows on them is read.
   */
  const refused = new WeakSet<Socket>()

  async function serve(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const { socket } = incoming
    if (refused.has(socket)) {
      response.destroy()
      return
    }
    if (hasSeveralHosts(incoming)) {
      refused.add(socket)
      response.writeHead(400, { Connection: "close", "Content-Length": 0 }).end()
      return
    }
    const request = new NodeRequest(incoming, response, streams)
    const answer = pages?.(request) ?? (await api.handle(request))
    if (turn.end !== null) await turn.end
    if (isClosing) response.setHeader("Connection", "close")
    // A body that was not read to its end stands before the next request.
    if (!incoming.complete && request.hasBody) response.setHeader("Connection", "close")
    await send(answer, incoming, response)
  }

  const server = createServer({
    maxHeaderSize: MAX_HEADER_BYTES,
    headersTimeout: HEADERS_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    noDelay: true,
  })
  /** What is being answered on each connection that has sent more before it heard. */
  const pending = new WeakMap<Socket, Promise<void>>()
  // One after the other on each connection (RFC 9112, section 9.3.2): what is asked may change what is asked next.
  const onRequest = (incoming: IncomingMessage, response: ServerResponse) => {
    const { socket } = incoming
    turn.begin()
    answering++
    response.once("close", () => {
      answering--
      if (answering === 0) tellAnswered()
    })
    const before = pending.get(socket)
    const run = () => serve(incoming, response).catch(() => void response.destroy())
    const mine: Promise<void> = (before === undefined ? run() : before.then(run)).finally(() => {
      if (pending.get(socket) === mine) pending.delete(socket)
    })
    pending.set(socket, mine)
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

/** Node's request, as the API reads one. */
class NodeRequest implements ApiRequest {
  readonly method: string
  readonly path: string
  readonly query: string
  readonly #incoming: IncomingMessage
  readonly #response: ServerResponse
  readonly #streams: Set<AbortController>

  constructor(incoming: IncomingMessage, response: ServerResponse, streams: Set<AbortController>) {
    this.#incoming = incoming
    this.#response = response
    this.#streams = streams
    this.method = incoming.method ?? ""
    let target = incoming.url ?? ""
    // The absolute form, as a proxy sends it.
    if (!target.startsWith("/")) {
      const url = URL.parse(target)
      target = url === null ? "" : url.pathname + url.search
    }
    const mark = target.indexOf("?")
    this.path = mark < 0 ? target : target.slice(0, mark)
    this.query = mark < 0 ? "" : target.slice(mark + 1)
  }

  get host(): string | null {
    const host = this.#incoming.headers.host
    return host === undefined ? null : host.replace(/:\d*$/, "").toLowerCase()
  }

  get address(): string | null {
    return this.#incoming.socket.remoteAddress?.replace(/^::ffff:/, "") ?? null
  }

  get hasBody(): boolean {
    const { headers } = this.#incoming
    return headers["transfer-encoding"] !== undefined || Number(headers["content-length"]) > 0
  }

  /** Made where it is asked for: only streams need it. */
  get signal(): AbortSignal {
    const controller = new AbortController()
    this.#streams.add(controller)
    this.#response.once("close", () => {
      this.#streams.delete(controller)
      controller.abort()
    })
    return controller.signal
  }

  header(name: string): string | null {
    const value = this.#incoming.headers[name]
    return value === undefined ? null : Array.isArray(value) ? value.join(", ") : value
  }

  body(maxBytes: number): Promise<string> {
    const incoming = this.#incoming
    if (Number(incoming.headers["content-length"]) > maxBytes) return Promise.reject(tooLarge(maxBytes))
    return new Promise((resolve, reject) => {
      const chunks: Buffer[] = []
      let bytes = 0
      const onData = (chunk: Buffer) => {
        bytes += chunk.length
        if (bytes > maxBytes) {
          incoming.off("data", onData).pause()
          reject(tooLarge(maxBytes))
          return
        }
        chunks.push(chunk)
      }
      incoming.on("data", onData)
      incoming.once("end", () => {
        const whole = chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)
        // Replaced, two keys could become one.
        if (isUtf8(whole)) resolve(whole.toString("utf8"))
        else reject(new RequestError(400, "Cannot read the request: the body is no UTF-8."))
      })
      incoming.once("error", reject)
      // Not made where nobody hears it: an error costs a stack trace.
      incoming.once("close", () => {
        if (!incoming.complete) reject(new RequestError(400, "Cannot read the request: its body ended early."))
      })
    })
  }
}

async function send(
  { status, headers, body }: ApiAnswer,
  incoming: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (!(body instanceof ReadableStream)) {
    const length = body === null ? 0 : Buffer.byteLength(body)
    response.writeHead(status, status === 304 ? headers : { ...headers, "Content-Length": length })
    response.end(incoming.method === "HEAD" ? undefined : body)
    return
  }
  // What may last for hours shares its connection with nothing after it.
  response.writeHead(status, { ...headers, Connection: "close" })
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
