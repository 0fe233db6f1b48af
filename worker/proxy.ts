import { problemResponse } from "../src/http/problem.js"

/** Fields that are about one connection (RFC 9110, section 7.6.1), or for a proxy on the way. */
const HOP_BY_HOP = [
  "connection",
  "keep-alive",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]

/**
 * Makes a handler that passes requests on to an upstream: method, path, query, headers and body as they are, without
 * what is about the client's own connection. Redirects go back to the client. An upstream that does not answer is a 502.
 *
 * @param upstream its path stands before that of each request
 */
export function proxyTo(upstream: URL): (request: Request) => Promise<Response> {
  const base = upstream.pathname.replace(/\/+$/, "")
  return async function proxy(request) {
    const url = new URL(request.url)
    const target = new URL(upstream)
    // Set, not parsed: a path such as "//example.com" stays a path.
    target.pathname = base + url.pathname
    target.search = url.search
    try {
      const copy = new Request(target, request)
      return await fetch(new Request(copy, { headers: forwardedHeaders(request.headers), redirect: "manual" }))
    } catch (error) {
      console.error("The upstream did not answer:", error)
      return problemResponse({
        type: "about:blank",
        title: "Bad Gateway",
        status: 502,
        detail: "The upstream did not answer.",
      })
    }
  }
}

/** The fields that concern the upstream. Only the wish for a WebSocket goes through. */
export function forwardedHeaders(received: Headers): Headers {
  const headers = new Headers(received)
  const named = received.get("connection")?.split(",") ?? []
  for (const name of [...HOP_BY_HOP, ...named.map((each) => each.trim())]) {
    if (/^[\w!#$%&'*+.^`|~-]+$/.test(name)) headers.delete(name)
  }
  if (received.get("upgrade")?.toLowerCase() === "websocket") headers.set("upgrade", "websocket")
  return headers
}
