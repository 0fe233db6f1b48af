import type { IncomingMessage, ServerResponse } from "node:http"
import { CLEAR_PATH, ORIGIN } from "../http/clear-url.js"
import type { Outcome } from "../http/guard.js"
import { mergeFields } from "../http/merge-fields.js"
import type { RateLimitOptions, ResponseHead } from "../http/rate-limit-options.js"
import { BODY_FIELDS, besideEarlier, LIMIT_FIELD } from "./denial-fields.js"

/** Methods that a `Request` refuses to have: three by name, and what is no token of HTTP. */
const UNCONSTRUCTIBLE = /^(CONNECT|TRACE|TRACK)$|[^\w!#$%&'*+.^`|~-]|^$/i
/** RFC 9113, section 7. */
const HTTP2_INTERNAL_ERROR = 2
/**
 * What stands before the path of a target. A query may follow it at once, but one without a slash: some routers would
 * see a path from there on.
 */
const BEFORE_PATH = new RegExp(`${ORIGIN.source}(?=/|\\?[^/]*$|$)`, "i")

/**
 * The head of a Node request as a Web-standard one: method, URL, fields. Its body stays with Node's.
 *
 * A host that is none becomes `localhost`. Fields are those that the application sees: of some that come more than
 * once, Node keeps the first.
 *
 * @param url path and query as the client sent them, where a framework has changed `message.url`
 * @param signal tells when the client has gone
 * @throws {Error} of status 400, as frameworks know it, where servers would find different paths in the target
 */
export function webRequest(message: IncomingMessage, url: string = message.url ?? "/", signal?: AbortSignal): Request {
  const { method = "GET" } = message
  const isConstructible = !UNCONSTRUCTIBLE.test(method)
  const request = new Request(webUrl(message, url), {
    method: isConstructible ? method : "GET",
    signal: signal ?? null,
  })
  // Were they given above, they would be copied once more.
  appendFields(message.headers, request.headers)
  if (!isConstructible) Object.defineProperty(request, "method", { value: method })
  return request
}

function webUrl({ headers, socket }: IncomingMessage, url: string): string {
  const scheme = "encrypted" in socket ? "https" : "http"
  const host = headers.host ?? (headers[":authority"] as string | undefined) ?? ""
  const path = pathOf(url)
  const full = `${scheme}://${host}${path}`
  const isHost = full.replace(BEFORE_PATH, "") === path && URL.canParse(full)
  return isHost ? full : `${scheme}://localhost${path}`
}

/**
 * Path and query of a target, as they are. Where `URL` would find another path than servers do, which route by what
 * they are sent, a limit that is chosen by path could be passed by.
 */
function pathOf(target: string): string {
  const path = target === "*" ? "/" : target.replace(BEFORE_PATH, "").replace(/^(?=\?|$)/, "/")
  if (CLEAR_PATH.test(path)) return path
  const text =
    "Cannot read the request: its target is not clear, allowed is a path without dot segments or backslashes."
  const error = Object.assign(new Error(text), { status: 400, statusCode: 400 })
  // Express prints the stack of every error, and how many there are of these is up to the client.
  error.stack = String(error)
  throw error
}

/** Aborts when the client goes before its answer has begun; made only where an option asks for it. */
export function clientSignal(options: RateLimitOptions<never>, response: ServerResponse): AbortSignal | undefined {
  if (!options.delay && !options.skipFailedRequests && !options.skipSuccessfulRequests) return undefined
  const controller = new AbortController()
  whenClosed(response, () => {
    if (!response.headersSent) controller.abort()
  })
  return controller.signal
}

/** The fields of a response, as Node has them. */
type Fields = Readonly<Record<string, unknown>>

/** Sets the RateLimit fields on a response to come, beside those that another limiter set. */
export function setFields(
  fields: Outcome["fields"],
  current: (name: string) => unknown,
  set: (name: string, value: string) => void,
): void {
  for (const [name, value] of Object.entries(mergeFields(fields, current))) set(name, value)
}

/**
 * Lets a request pass: sets the fields, and settles when its response has gone out.
 *
 * @returns settles at once
 */
export function admit(outcome: Outcome, response: ServerResponse): () => void {
  if (!response.headersSent) {
    setFields(
      outcome.fields,
      (name) => response.getHeader(name),
      (name, value) => response.setHeader(name, value),
    )
  }
  return settleWith(outcome, response, () => response.getHeaders())
}

/**
 * Settles by what is answered, when it has gone out. Where the client has gone before its answer began, by what the
 * handler answers all the same: else hanging up would be a way out of a penalty.
 *
 * @returns settles at once
 */
export function settleWith(outcome: Outcome, response: ServerResponse, fields: () => Fields): () => void {
  let isDone = false
  const settle = () => {
    if (!isDone) outcome.done(headOf(response.statusCode, fields()))
    isDone = true
  }
  const settleSent = () => (response.headersSent ? settle() : whenBegun(response, settle))
  response.once("finish", settleSent)
  whenClosed(response, settleSent)
  return settle
}

/**
 * Calls `then` when an answer is begun that nobody gets: Node drops it and tells nobody, HTTP/2 drops its status too.
 */
function whenBegun(response: ServerResponse, then: () => void): void {
  for (const name of ["writeHead", "write", "end"] as const) {
    const begin = response[name] as (...args: unknown[]) => never
    response[name] = (...args: unknown[]) => {
      if (name === "writeHead") response.statusCode = args[0] as number
      const answer = begin.apply(response, args)
      then()
      return answer
    }
  }
}

/** Calls `then` when nothing more can be sent; at once where that is so already. */
function whenClosed(response: ServerResponse, then: () => void): void {
  if (isClosed(response)) then()
  // Node takes many listeners for a leak, but each limit has its own; 0 stands for any number.
  else response.once("close", then).setMaxListeners((response.getMaxListeners() || Infinity) + 1)
}

function isClosed(response: ServerResponse): boolean | undefined {
  const { destroyed, stream } = response as ServerResponse & { readonly stream?: { readonly destroyed: boolean } }
  // A response of HTTP/2 has a stream, which knows.
  return destroyed || stream?.destroyed
}

/** Whether there is somebody to answer: no client has gone, and nobody answered while the limiter was asked. */
export function isOpen(response: ServerResponse): boolean {
  return !response.headersSent && !isClosed(response)
}

/** What is known of a response that Node has sent. Its fields are read by whoever asks: most do not. */
function headOf(status: number, fields: Fields): ResponseHead {
  return {
    status,
    get headers() {
      const headers = new Headers()
      appendFields(fields, headers)
      return headers
    },
  }
}

/** Leaves out the pseudo-fields of HTTP/2, such as ":path", which are no fields of HTTP. */
function appendFields(fields: Fields, to: Headers): void {
  for (const [name, value] of Object.entries(fields)) {
    // Each would be an error that is thrown and caught, which costs more than all the other fields.
    if (name.startsWith(":")) continue
    if (!Array.isArray(value)) appendField(name, value, to)
    else for (const each of value) appendField(name, each, to)
  }
}

function appendField(name: string, value: unknown, to: Headers): void {
  if (value === undefined) return
  try {
    to.append(name, String(value))
  } catch {
    // What a lenient parser lets by is no field of HTTP. The framework sees it still.
  }
}

/**
 * Answers with a status and the fields of the limit, or breaks off an answer that has begun; one that is complete is
 * left alone.
 */
export function sendStatus(status: number, to: ServerResponse): void {
  if (to.writableEnded) return
  if (to.headersSent) {
    const { stream } = to as { stream?: { close(code: number): void } }
    // Destroyed without an error, a response of HTTP/2 would look complete.
    if (stream) stream.close(HTTP2_INTERNAL_ERROR)
    // The response itself has no socket while it waits for those before it.
    else to.req.socket.destroy()
    return
  }
  for (const name of to.getHeaderNames()) if (!LIMIT_FIELD.test(name)) to.removeHeader(name)
  to.statusCode = status
  to.end()
}

/** Answers with a Web-standard response that denies, where there is somebody to answer. */
export async function sendResponse(denial: Response, to: ServerResponse): Promise<void> {
  const { body } = denial
  const isOfHead = to.req.method === "HEAD"
  if (!isOpen(to)) return body?.cancel()
  for (const name of BODY_FIELDS) to.removeHeader(name)
  // RFC 9112, section 6.2: an answer has one of the two.
  if (denial.headers.has("content-length")) to.removeHeader("transfer-encoding")
  to.statusCode = denial.status
  for (const [name, value] of denial.headers) {
    if (name === "set-cookie") to.appendHeader(name, value)
    else to.setHeader(name, besideEarlier(name, value, to.getHeader(name)))
  }
  if (body && !isOfHead) await sendBody(body, to)
  to.end()
  // Node drops what is written to a HEAD without making anybody wait: a body without an end would never let go.
  if (isOfHead) body?.cancel().catch(() => {})
}

/** No faster than the client reads; what it will not get is cancelled. */
async function sendBody(body: ReadableStream<Uint8Array>, to: ServerResponse): Promise<void> {
  const reader = body.getReader()
  let goOn = () => {}
  to.on("drain", () => goOn())
  whenClosed(to, () => {
    goOn()
    reader.cancel().catch(() => {})
  })
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return
    if (!to.write(value) && !isClosed(to)) {
      await new Promise<void>((resolve) => {
        goOn = resolve
      })
    }
  }
}
