import type { IncomingMessage, ServerResponse } from "node:http"
import type { Outcome } from "../http/guard.js"
import { mergeFields, mergeItems } from "../http/merge-fields.js"
import type { ResponseHead } from "../http/rate-limit-options.js"

/** Methods that a `Request` refuses to have: three by name, and what is no token of HTTP. */
const UNCONSTRUCTIBLE = /^(CONNECT|TRACE|TRACK)$|[^\w!#$%&'*+.^`|~-]|^$/i
/** RFC 9113, section 7. */
const HTTP2_INTERNAL_ERROR = 2
/** A name or an address with a port: nothing in it can end the host of a URL, so none of it becomes path or user. */
const HOST = /^(?:[\w.-]+|\[[\da-f:.]+\])(?::\d+)?$/i

/**
 * The head of a Node request as a Web-standard one: method, URL, fields. Its body stays with Node's.
 *
 * Nothing that a client can send makes it fail: a host that is none becomes `localhost`.
 *
 * @param url path and query as the client sent them, where a framework has changed `message.url`
 * @param signal tells when the client has gone
 */
export function webRequest(message: IncomingMessage, url: string = message.url ?? "/", signal?: AbortSignal): Request {
  const { method = "GET", rawHeaders } = message
  const headers = new Headers()
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    append(headers, rawHeaders[index]!, rawHeaders[index + 1])
  }
  const isConstructible = !UNCONSTRUCTIBLE.test(method)
  const request = new Request(webUrl(message, url), {
    method: isConstructible ? method : "GET",
    headers,
    ...(signal && { signal }),
  })
  if (!isConstructible) Object.defineProperty(request, "method", { value: method })
  return request
}

function webUrl({ headers, socket }: IncomingMessage, url: string): string {
  const scheme = "encrypted" in socket ? "https" : "http"
  const host = headers.host ?? (headers[":authority"] as string | undefined) ?? ""
  const path = pathOf(url)
  const full = `${scheme}://${host}${path}`
  return HOST.test(host) && URL.canParse(full) ? full : `${scheme}://localhost${path}`
}

/** Path and query. They are set, not parsed: a path such as "//example.com" stays a path. */
function pathOf(url: string): string {
  if (url.startsWith("/")) return url
  const absolute = URL.parse(url)
  // Another form, such as "*" or "example.com:443", has no path.
  return absolute?.pathname.startsWith("/") ? `${absolute.pathname}${absolute.search}` : "/"
}

/** Aborts when the client goes before its answer has begun. */
export function clientSignal(response: ServerResponse): AbortSignal {
  const controller = new AbortController()
  response.once("close", () => {
    if (!response.headersSent) controller.abort()
  })
  return controller.signal
}

/** Those of every style. */
const LIMIT_FIELD = /^(x-)?ratelimit(-|$)/
/** What a field says of the body of the answer that was to come is wrong for a denial: RFC 9110, section 8, and others. */
export const BODY_FIELDS = [
  ...["content-type", "content-length", "content-encoding", "content-language", "content-location", "content-range"],
  ...["content-disposition", "content-digest", "content-md5", "repr-digest", "digest", "etag", "last-modified"],
  // Not transfer-encoding: to Node its removal says that the answer is not to be chunked, and so ends with the connection.
  "trailer",
]

/** The fields that are lists of items, one for each policy. */
const ITEM_FIELDS = ["RateLimit", "RateLimit-Policy"]

/** Sets the RateLimit fields on a response to come, beside those that another limiter set. */
export function setFields(
  fields: Outcome["fields"],
  current: (name: string) => unknown,
  set: (name: string, value: string) => void,
): void {
  for (const [name, value] of Object.entries(mergeFields(fields, current))) set(name, value)
}

/** A denial with the items that another limiter set on the response to come, whose request it had let pass. */
export function withItemsBefore(denial: Response, current: (name: string) => unknown): Response {
  const own = ITEM_FIELDS.filter((name) => denial.headers.has(name) && current(name) !== undefined)
  if (own.length === 0) return denial
  const headers = new Headers(denial.headers)
  for (const name of own) headers.set(name, mergeItems(current(name), headers.get(name)!))
  return new Response(denial.body, { status: denial.status, statusText: denial.statusText, headers })
}

/**
 * Lets a request pass: sets the fields, and settles when its response has gone out. The charge of a client that has gone
 * before its answer began stays.
 *
 * @returns to be called where the handler failed after its answer had begun
 */
export function admit(outcome: Outcome, response: ServerResponse): () => void {
  if (!response.headersSent) {
    setFields(
      outcome.fields,
      (name) => response.getHeader(name),
      (name, value) => response.setHeader(name, value),
    )
  }
  let isDone = false
  const settle = (hasFailed: boolean) => {
    if (isDone) return
    isDone = true
    if (hasFailed) outcome.done(null)
    else if (response.headersSent) outcome.done(headOf(response.statusCode, response.getHeaders()))
  }
  const settleSent = () => settle(false)
  response.once("finish", settleSent)
  whenClosed(response, settleSent)
  return () => settle(true)
}

/** Calls `then` when nothing more can be sent; at once where that is so already. */
export function whenClosed(response: ServerResponse, then: () => void): void {
  if (isClosed(response)) then()
  else response.once("close", then)
}

function isClosed(response: ServerResponse): boolean {
  const { destroyed, stream } = response as ServerResponse & { readonly stream?: { readonly destroyed: boolean } }
  // A response of HTTP/2 has a stream, which knows.
  return destroyed || stream?.destroyed === true
}

/** Whether there is somebody to answer: no client has gone, and nobody answered while the limiter was asked. */
export function isOpen(response: ServerResponse): boolean {
  return !response.headersSent && !isClosed(response)
}

/** What is known of a response that Node has sent. Its fields are read by whoever asks: most do not. */
export function headOf(status: number, fields: Readonly<Record<string, unknown>>): ResponseHead {
  return {
    status,
    get headers() {
      const headers = new Headers()
      for (const [name, value] of Object.entries(fields)) {
        for (const each of Array.isArray(value) ? value : [value]) append(headers, name, each)
      }
      return headers
    },
  }
}

/** What is no field of HTTP is left out: the pseudo-fields of HTTP/2, such as ":path", and what a lenient parser lets by. */
function append(headers: Headers, name: string, value: unknown): void {
  if (name.startsWith(":") || value === undefined) return
  try {
    headers.append(name, String(value))
  } catch {
    // The framework sees it still.
  }
}

/**
 * Answers with a status and the fields of the limit, or breaks off an answer that has begun; one that is complete is left
 * alone.
 */
export function sendStatus(status: number, to: ServerResponse): void {
  if (to.writableEnded) return
  if (to.headersSent) {
    const { stream } = to as { stream?: { close(code: number): void } }
    // Destroyed without an error, a response of HTTP/2 would look complete.
    if (stream) stream.close(HTTP2_INTERNAL_ERROR)
    else to.destroy()
    return
  }
  for (const name of to.getHeaderNames()) if (!LIMIT_FIELD.test(name)) to.removeHeader(name)
  to.statusCode = status
  to.end()
}

/** Answers with a Web-standard response that denies, where there is somebody to answer. */
export async function sendResponse(denial: Response, to: ServerResponse): Promise<void> {
  if (!isOpen(to)) return
  for (const name of BODY_FIELDS) to.removeHeader(name)
  const from = withItemsBefore(denial, (name) => to.getHeader(name))
  to.statusCode = from.status
  for (const [name, value] of from.headers) if (name !== "set-cookie") to.setHeader(name, value)
  const cookies = from.headers.getSetCookie()
  if (cookies.length > 0) to.setHeader("set-cookie", cookies)
  for await (const chunk of from.body ?? []) to.write(chunk)
  to.end()
}
