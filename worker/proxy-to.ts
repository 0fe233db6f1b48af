import { problemResponse } from "../src/http/problem.js"

/** Fields that are about one connection (RFC 9110, section 7.6.1), or for a proxy on the way. */
const HOP_BY_HOP = [
  "connection",
  "http2-settings",
  "keep-alive",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]

/**
 * Fields that are never about one connection, so that `Connection` must not name them (RFC 9110, section 7.6.1). A
 * client that does wants the upstream to miss them: who it is, where it comes from, or how its body is to be read.
 */
const END_TO_END = new RegExp(
  `^(?:${[
    "accept(?:-.+)?",
    "age",
    "apikey",
    "authorization",
    "baggage",
    "cache-control",
    "cdn-loop",
    "cf-.+",
    "client-cert(?:-chain)?",
    "content-.+",
    "cookie",
    "date",
    "dpop",
    "early-data",
    "expect",
    "fastly-.+",
    "fly-.+",
    "forwarded",
    "from",
    "host",
    "idempotency-key",
    "if-.+",
    "max-forwards",
    "origin",
    "pragma",
    "prefer",
    "priority",
    "range",
    "referer",
    "remote-.+",
    "sec-.+",
    "signature(?:-input)?",
    "ssl-.+",
    "traceparent",
    "tracestate",
    "true-client-ip",
    "user-agent",
    "via",
    "x-(?:.+-)?(?:api|auth|authenticated|access|client|cluster|csrf|forwarded|ip|jwt|key|original|real|remote|request|role|roles|signature|tenant|token|user|xsrf)(?:-.+)?",
    "x-amz.*",
    "x-envoy-.+",
    "x-goog-.+",
    "x-http-method(?:-override)?",
    "x-middleware-.+",
    "x-vercel-.+",
  ].join("|")})$`,
)

/**
 * Makes a handler that passes requests on to an upstream: method, path, query, headers and body as they are, without
 * what is about the client's own connection. Redirects go back to the client. An upstream that does not answer is a
 * 502; so is a client that goes in mid-upload, whom it does not reach.
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
      if (!request.signal.aborted) tellFailure(request, error)
      return problemResponse({
        type: "about:blank",
        title: "Bad Gateway",
        status: 502,
        detail: "The upstream did not answer.",
        code: "UPSTREAM_UNAVAILABLE",
      })
    }
  }
}

/**
 * Whether the upstream or the client's upload broke off, the platform does not tell: both reject with the same error, and
 * `request.signal` stays as it was.
 */
function tellFailure({ body }: Request, error: unknown): void {
  if (body === null) console.error("The upstream did not answer:", error)
  else console.error(`The upstream did not answer, or the client went away in mid-upload: ${error}`)
}

/**
 * The fields that concern the upstream: without those of the client's connection and those that its `Connection` names,
 * unless they are known to be for the upstream. Only the wish for a WebSocket goes through.
 */
export function forwardedHeaders(received: Headers): Headers {
  const headers = new Headers(received)
  const named = (received.get("connection") ?? "").split(",").map((each) => each.trim().toLowerCase())
  for (const name of [...HOP_BY_HOP, ...named.filter((each) => !END_TO_END.test(each))]) {
    if (/^[\w!#$%&'*+.^`|~-]+$/.test(name)) headers.delete(name)
  }
  if (received.get("upgrade")?.toLowerCase() === "websocket") headers.set("upgrade", "websocket")
  return headers
}
