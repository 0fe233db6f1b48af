import { parseUrl } from "../lib/parse-url.js"

/*
 * Whoever reads a URL has to find the same path in it: the limit that is chosen by `new URL(request.url)`, and the
 * router that looks for the first slash after the host. Some runtimes put a client's `Host` and target into it as they
 * are.
 */

/**
 * Scheme and host: a name or an address with a port. Nothing in that can end a host, so none of it becomes path or
 * user.
 */
export const ORIGIN = /^https?:\/\/(?:[\w.-]+|\[[\da-f:.]+\])(?::\d*)?/i
/** Begins with a path that a URL would not change: without dot segments, backslashes, and what it strips. */
export const CLEAR_PATH = /^(?:\/(?!(?:\.|%2e){1,2}(?:[/?#]|$))[^\0- \\/?#]*)+(?=[?#]|$)/i

/**
 * Whether every reader finds the same path in the URL of a request. Those that Web-standard parsers have made are so.
 */
export function isClearUrl(url: string): boolean {
  const parsed = parseUrl(url)
  return parsed !== null && (CLEAR_PATH.test(url.replace(ORIGIN, "")) || isAsParsed(url, parsed))
}

/** Whether it is as a parser leaves it, whatever scheme and host: a `Request` that was made has such a one. */
function isAsParsed(url: string, { href, pathname, username, password }: URL): boolean {
  return href === url && pathname.startsWith("/") && username + password === ""
}
