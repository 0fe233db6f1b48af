import { unfit } from "../../policy/require-fields.js"
import type { KeyExtractor } from "./key-extractor.js"
import { percentDecoded } from "./percent-decoded.js"

interface Path {
  /** How many segments it has. */
  readonly length: number
  readonly segmentAt: (index: number) => string
}

/**
 * Limits by route: the key is `path:` and the first of the patterns that fits the request's path, so that `/users/1`
 * and `/users/2` count together. In a pattern `:name` stands for one segment, and `*` at the end for any number of
 * them. A method may stand before the path; `GET` is also for `HEAD`, which routers hand to the same handler.
 *
 * Paths and patterns are compared by segment, percent-decoded, case-sensitive; empty segments and a slash at the end do
 * not count. A path that no pattern fits has no key of its own.
 *
 * @throws {RangeError} at construction, where there is no pattern, or one does not start with `/` or has `*` elsewhere
 * @example
 * ```ts
 * import { clientAddress, combine, pathPattern, rateLimit } from "sluice/http"
 *
 * rateLimit(() => new Response("ok"), {
 *   policy: "10/minute",
 *   key: combine(clientAddress(), pathPattern("POST /login", "/users/:id", "/files/*")),
 * })
 * ```
 */
export function pathPattern(...patterns: [string, ...string[]]): KeyExtractor {
  if (patterns.length === 0) throw unfit("use pathPattern", "patterns", patterns, "one or more")
  const compiled = patterns.map(compile)
  return function pathPatternKey({ method, url }) {
    const path = pathOf(new URL(url).pathname)
    const match = compiled.find((pattern) => pattern.fits(method, path))
    return match && `path:${match.text}`
  }
}

function compile(text: string) {
  const [, method, path] = /^(?:([A-Z]+) +)?(\/\S*)$/.exec(text) ?? []
  const parts = path?.split("/").filter((part) => part !== "") ?? []
  const isOpen = parts.at(-1) === "*"
  if (isOpen) parts.pop()
  if (path === undefined || parts.some((part) => part.includes("*") || part === ":")) {
    throw unfit("use pathPattern", "pattern", text, 'such as "GET /a/:id/*"')
  }
  const wanted = parts.map((part) => (part.startsWith(":") ? undefined : percentDecoded(part)))
  const fits = (requestMethod: string, { length, segmentAt }: Path): boolean =>
    (method === undefined || method === requestMethod || (method === "GET" && requestMethod === "HEAD")) &&
    (isOpen ? length >= wanted.length : length === wanted.length) &&
    wanted.every((segment, index) => segment === undefined || segment === segmentAt(index))
  return { text, fits }
}

/** The segments of a path, each decoded when it is first compared: a client may send thousands. */
function pathOf(pathname: string): Path {
  const segments = pathname.split("/").filter((segment) => segment !== "")
  const decoded: string[] = []
  const segmentAt = (index: number) => {
    decoded[index] ??= percentDecoded(segments[index]!)
    return decoded[index]
  }
  return { length: segments.length, segmentAt }
}
