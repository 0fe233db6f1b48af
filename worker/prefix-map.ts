/** A byte in percent-encoding. */
const ENCODED_BYTE = /%[\da-f]{2}/gi

/** What some servers cut off a segment: parameters (`/api;v=1`), and what follows a byte 0. */
const CUT_OFF = /[;\0][^/\\]*/g

/** A path as its bytes. */
function decoded(pathname: string): string {
  return pathname.replace(ENCODED_BYTE, (byte) => String.fromCharCode(Number.parseInt(byte.slice(1), 16)))
}

/** What a server takes for the segments of a path when it decodes it, each as its bytes. */
function decodedSegments(pathname: string): string[] {
  return decoded(pathname).replace(CUT_OFF, "").replaceAll("\\", "/").split("/")
}

const pathnameOf = (prefix: string) => new URL(`http://localhost${prefix}`).pathname

/**
 * Whether a prefix says more than would count of it (`/;x`, `/api%2F..`): it would protect other paths than it seems.
 */
export function isMisleading(prefix: string): boolean {
  const pathname = pathnameOf(prefix)
  return decoded(pathname).search(CUT_OFF) >= 0 || leadsUpHidden(pathname)
}

/**
 * A segment that is a pattern where routers are configured (`*`, `api*`, `(.*)`, `:id`, `[id]`, `{id}`). Who means
 * these characters themselves encodes one of them.
 */
const PATTERN = /\*|^:|^\[.*\]$|^\{.*\}$/

/**
 * What to write in place of a prefix that is written as a pattern, which would protect nothing: `/api` for `/api/*`;
 * `null` where it is none.
 */
export function prefixOfPattern(prefix: string): string | null {
  const segments = prefix.split("/")
  const index = segments.findIndex((segment) => PATTERN.test(segment))
  if (index < 0) return null
  const begun = /^([\w.~-]+)\*$/.exec(segments[index]!)?.slice(1) ?? []
  return [...segments.slice(0, index), ...begun].join("/") || "/"
}

/**
 * Whether a path leads up only when it is decoded (`/api/..%2Fopen`, `/api/..;/open`): some servers take it for
 * `/open`, others for a path below `/api`, so no one limit is that of both.
 *
 * @param pathname as `URL` gives it, so that plain dot segments are resolved
 */
export function leadsUpHidden(pathname: string): boolean {
  return decodedSegments(pathname).includes("..")
}

/**
 * The segments of a path, each as its bytes.
 *
 * Whatever a server behind may take for the same path is the same path here, so that no spelling of it escapes a limit:
 * percent-encoded bytes are decoded once (slashes too), empty segments and a slash at the end do not count, dot
 * segments are resolved; parameters of a segment (from a semicolon on) and what follows a byte 0 do not count. Upper
 * and lower case differ. A byte that is encoded twice is another path, as it is for a server that decodes once.
 *
 * @param pathname as `URL` gives it, so that all but ASCII is percent-encoded
 */
function pathSegments(pathname: string): string[] {
  const segments: string[] = []
  for (const segment of decodedSegments(pathname)) {
    if (segment === "..") segments.pop()
    else if (segment !== "" && segment !== ".") segments.push(segment)
  }
  return segments
}

/** Values by path prefix, of which the longest that fits counts. A prefix fits whole segments: `/api` not `/apis`. */
export class PrefixMap<T> {
  /** No segment has a slash in it, so a joined path is one path. */
  readonly #values = new Map<string, T>()
  #longest = 0

  /**
   * Gives a prefix its value. One that is taken keeps the value that it has.
   *
   * @param prefix begins with a slash
   * @returns whether it was free
   */
  add(prefix: string, value: T): boolean {
    const segments = pathSegments(pathnameOf(prefix))
    const path = segments.join("/")
    if (this.#values.has(path)) return false
    this.#values.set(path, value)
    this.#longest = Math.max(this.#longest, segments.length)
    return true
  }

  /** The value of the longest prefix of a path, if any. */
  find(pathname: string): T | undefined {
    const segments = pathSegments(pathname).slice(0, this.#longest)
    for (;;) {
      const path = segments.join("/")
      if (this.#values.has(path)) return this.#values.get(path)
      if (segments.pop() === undefined) return undefined
    }
  }
}
