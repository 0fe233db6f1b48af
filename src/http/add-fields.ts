import { mergeFields } from "./merge-fields.js"

/** What was written to in place. */
interface Written {
  /** What the response was the answer to. */
  readonly request: Request
  /** The headers that it had before. */
  readonly original: Headers
}

/**
 * The responses that were written to in place. A handler may return a body-less response that names a type of content
 * again and again, behind one limit or several, and nothing of one client's answer may reach the next.
 */
const inPlace = new WeakMap<Response, Written>()

/** What to write to a response, by field name. */
export interface FieldsToAdd {
  /** Merged with those that another limiter may have written. */
  readonly fields: Readonly<Record<string, string>>
  /** Written where the response does not have them. */
  readonly defaults: Readonly<Record<string, string>>
}

/** The statuses whose responses never have a body. */
const BODILESS = [204, 205, 304]

/**
 * Writes fields to a response: in place where its headers can be changed and its body makes it the answer to one
 * request alone, which keeps the fast paths that runtimes have for the bodies they know; else to a copy that streams
 * the same body.
 *
 * Left alone are an upgrade to WebSocket (status 101), which no copy survives, `Response.error()`, which has no
 * headers, and the nothing that a Bun handler returns after an upgrade.
 *
 * @param request what it is the answer to. A response that answers another request loses the fields of the one before;
 * those that another limit wrote to the answer to the same request stay.
 */
export function addFields(response: Response, add: FieldsToAdd, request: Request): Response {
  if (!(response?.status >= 200)) return response
  const before = inPlace.get(response)
  const isReused = before !== undefined && isOther(before, request, response)
  if (!isReused && Object.keys(add.fields).length + Object.keys(add.defaults).length === 0) return response
  const headers = new Headers(isReused ? before.original : response.headers)
  if (!isReused && !isSentAgain(response, request)) {
    try {
      write(response.headers, add)
      if (before === undefined) inPlace.set(response, { request, original: headers })
      return response
    } catch {
      // The headers of responses from `fetch` and `Response.redirect` are immutable; nothing was written.
    }
  }
  write(headers, add)
  const { status, statusText } = response
  return new Response(bodyFor(request, response), { status, statusText, headers })
}

/**
 * Whether a handler can answer many requests with this response, since nobody reads its body or it has none. Looking at
 * the body costs some runtimes their fast path, and one that is a text or a form brings its type of content along.
 */
function isSentAgain(response: Response, { method }: Request): boolean {
  if (method === "HEAD" || BODILESS.includes(response.status)) return true
  return !response.headers.has("content-type") && isBodiless(response)
}

/**
 * Whether a response has no body. Bun gives a text its type of content only as it sends it, and sends it as mere bytes
 * once its body was looked at, or cloned where the text is not ASCII. What it tells of the size of one does neither. A
 * body of unknown size may be a stream or none, and has no such type to lose: of that a clone is looked at, which is
 * closed at once.
 */
function isBodiless(response: Response): boolean {
  givesTypeLate ??= !new Response("text").headers.has("content-type")
  if (!givesTypeLate || response.headers.has("content-type")) return response.body === null
  if (HAS_SIZE.test(`${(globalThis as { Bun?: Inspecting }).Bun?.inspect(response)}`)) return false
  try {
    const { body } = response.clone()
    body?.cancel().catch(() => {})
    return body === null
  } catch {
    // A body that was read, or is being read, has no clone.
    return false
  }
}

/** How Bun shows a response whose body has a size. One that is empty, unknown or not there is `(0 KB)`. */
const HAS_SIZE = /^Response \((?!0 )/

interface Inspecting {
  inspect(value: unknown): string
}

/** Whether the runtime gives a text its type of content no sooner than it sends it, where that is known by now. */
let givesTypeLate: boolean | undefined

/** A body that a server has dropped at an earlier HEAD can be in no other response, and HEAD needs none. */
function bodyFor({ method }: Request, { body, bodyUsed }: Response): Response["body"] {
  return method === "HEAD" && (bodyUsed || body?.locked) ? null : body
}

/**
 * Whether a response was the answer to another request before. One with a body is sent once, so there it is the same
 * request in another object, such as a proxy or what a handler made of it for a limit within.
 */
function isOther({ request }: Written, current: Request, response: Response): boolean {
  return request !== current && request.headers !== current.headers && isBodiless(response)
}

function write(headers: Headers, { fields, defaults }: FieldsToAdd): void {
  const merged = mergeFields(fields, (name) => headers.get(name))
  for (const [name, value] of Object.entries(merged)) headers.set(name, value)
  for (const [name, value] of Object.entries(defaults)) {
    if (!headers.has(name)) headers.set(name, value)
  }
}
