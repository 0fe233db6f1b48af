import { createExecutionContext, waitOnExecutionContext } from "cloudflare:test"
import { env } from "cloudflare:workers"
import { afterEach, describe, expect, test, vi } from "vitest"
import worker from "../../worker/index.js"
import { forwardedHeaders } from "../../worker/proxy-to.js"
import type { ServiceEnv } from "../../worker/service.js"
import { freshName } from "./objects.js"

const CLIENT = { "CF-Connecting-IP": "192.0.2.1" }

/** The deployed Worker under these variables. */
function deployed(variables: { LIMITS?: unknown; UPSTREAM?: unknown; CONFIG?: unknown }, LIMITER = env.LIMITER) {
  const workerEnv: ServiceEnv = { LIMITER, ...variables }
  return async (path: string, init: RequestInit = {}): Promise<Response> => {
    const context = createExecutionContext()
    const request = new Request(`http://localhost${path}`, { headers: CLIENT, ...init })
    const response = await worker.fetch(request as Parameters<typeof worker.fetch>[0], workerEnv, context)
    await waitOnExecutionContext(context)
    return response
  }
}

afterEach(() => {
  vi.restoreAllMocks()
})

describe("the deployed Worker without an upstream", () => {
  test("echoes the request and its limit, then denies", async () => {
    const name = freshName()
    const ask = deployed({ LIMITS: [{ name, paths: ["/api"], policy: "2/day" }] })
    const first = await ask("/api/hello?x=1", { method: "PUT", body: "text", headers: CLIENT })
    expect(first.status).toBe(200)
    expect(first.headers.get("RateLimit-Policy")).toBe(`"${name}";q=2;w=86400`)
    expect(first.headers.get("RateLimit")).toMatch(new RegExp(`^"${name}";r=1;t=\\d+$`))
    expect(await first.json()).toEqual({
      method: "PUT",
      path: "/api/hello?x=1",
      limit: name,
      key: "ip:192.0.2.1",
      policy: name,
      quota: 2,
      remaining: 1,
      resetAfterMs: 43_200_000,
      reason: "ok",
    })
    expect((await ask("/api")).status).toBe(200)
    const denied = await ask("/api/other")
    expect(denied.status).toBe(429)
    expect(Number(denied.headers.get("Retry-After"))).toBeGreaterThan(43_000)
    expect(await denied.json()).toMatchObject({ "violated-policies": [name] })
  })

  test("takes a whole sluice.toml in CONFIG: cost, headers and jitter take effect", async () => {
    const name = freshName()
    const CONFIG = `
      [limits."${name}"]
      policy = "4/day"
      cost = 2
      paths = ["/api"]
      [headers]
      styles = ["legacy"]
      reset = "delta"
      [jitter]
      enabled = true
      max = "1s"`
    const ask = deployed({ CONFIG })
    const first = await ask("/api")
    expect(first.headers.get("X-RateLimit-Remaining")).toBe("2")
    expect(first.headers.has("RateLimit")).toBe(false)
    expect(await first.json()).toMatchObject({ limit: name, key: "ip:192.0.2.1", remaining: 2 })
    expect((await ask("/api")).status).toBe(200)
    const denied = await ask("/api")
    expect(denied.status).toBe(429)
    expect([43_200, 43_201]).toContain(Number(denied.headers.get("Retry-After")))
  })

  test.each([
    "/api/..%2fopen",
    "/api/%2E.%2Fopen",
    "/api/..;x=1/open",
    "/api/..%00/open",
    "/api%5c..%5copen",
    "/x%2f..%2fapi",
  ])("refuses a path of which servers think differently: %s", async (path) => {
    const ask = deployed({ LIMITS: [{ name: freshName(), paths: ["/api"], policy: "1/day" }] })
    const response = await ask(path)
    expect(response.status).toBe(400)
    expect(await response.json()).toMatchObject({ status: 400, detail: expect.stringContaining("hidden ..") })
    // Plain dot segments are resolved before anybody sees them, and dots in a name are none.
    expect((await ask("/x/../open/%2e%2e/..a/..%25/a..%2fb")).status).toBe(200)
    expect((await ask("/x/%2e%2e/api")).status).toBe(200)
    expect((await ask("/open/../api")).status).toBe(429)
  })

  test("leaves paths alone that no limit protects", async () => {
    const ask = deployed({ LIMITS: [{ name: freshName(), paths: ["/api"], policy: "1/day" }] })
    for (let asked = 0; asked < 3; asked++) {
      const response = await ask("/open")
      expect(response.headers.has("RateLimit-Policy")).toBe(false)
      expect(await response.json()).toEqual({ method: "GET", path: "/open", limit: null })
    }
  })

  test("keeps limits apart, and one limit together over its paths", async () => {
    const [first, second] = [freshName(), freshName()]
    const ask = deployed({
      LIMITS: [
        { name: first, paths: ["/a", "/b"], policy: "2/day" },
        { name: second, paths: ["/a/c"], policy: "2/day" },
      ],
    })
    const statuses: number[] = []
    for (const path of ["/a", "/b", "/a/x", "/a/c", "/a/c/d", "/a/c"]) statuses.push((await ask(path)).status)
    expect(statuses).toEqual([200, 200, 429, 200, 200, 429])
  })

  test("counts by the key that the limit says", async () => {
    const ask = deployed({ LIMITS: [{ name: freshName(), paths: ["/"], policy: "1/day", key: "header:X-Tenant" }] })
    const statuses: number[] = []
    for (const tenant of ["a", "b", "a"]) {
      statuses.push((await ask("/", { headers: { ...CLIENT, "X-Tenant": tenant } })).status)
    }
    expect(statuses).toEqual([200, 200, 429])
  })

  test("keeps what was used when a limit gets another policy under its name", async () => {
    const name = freshName()
    const limit = { name, paths: ["/"], policy: "5/day" }
    await deployed({ LIMITS: [limit] })("/")
    const response = await deployed({ LIMITS: [{ ...limit, policy: "3/day" }] })("/")
    expect(response.headers.get("RateLimit")).toMatch(new RegExp(`^"${name}";r=1;`))
  })

  test.each([
    ["open", [200, 200]],
    ["closed", [503, 503]],
    ["local", [200, 429]],
  ])("answers as failMode %s says while objects do not, and logs it", async (failMode, statuses) => {
    const log = vi.spyOn(console, "error").mockImplementation(() => {})
    const broken = { getByName: () => ({ decide: () => Promise.reject(new Error("lost")) }) }
    const limit = { name: freshName(), paths: ["/"], policy: "1/day", failMode }
    const ask = deployed({ LIMITS: [limit] }, broken as unknown as typeof env.LIMITER)
    expect([(await ask("/")).status, (await ask("/")).status]).toEqual(statuses)
    expect(log).toHaveBeenCalledTimes(2)
    expect(log.mock.calls[0]![0]).toContain(limit.name)
  })

  test.each([
    ["open", 200],
    ["closed", 503],
    ["local", 200],
  ])("answers as failMode %s says when timeoutMs is over", async (failMode, status) => {
    const { promise, reject } = Promise.withResolvers()
    const hanging = { getByName: () => ({ decide: () => promise }) }
    // What was sent is over when it was given up.
    const log = vi.spyOn(console, "error").mockImplementation(() => reject(new Error("lost")))
    const limit = { name: freshName(), paths: ["/"], policy: "1/day", failMode, timeoutMs: 20 }
    const ask = deployed({ LIMITS: [limit] }, hanging as unknown as typeof env.LIMITER)
    expect((await ask("/")).status).toBe(status)
    expect(String(log.mock.calls[0]![1])).toContain("did not answer within 20 ms")
  })
})

describe("the deployed Worker with settings that cannot be", () => {
  test("refuses every request with a 500, and logs the field once", async () => {
    const log = vi.spyOn(console, "error").mockImplementation(() => {})
    const fetched = vi.spyOn(globalThis, "fetch")
    const ask = deployed({
      LIMITS: [{ name: "api", paths: ["/api"], policy: "ten per minute" }],
      UPSTREAM: "https://example.com",
    })
    for (const path of ["/api", "/open"]) {
      const response = await ask(path)
      expect(response.status).toBe(500)
      expect(response.headers.get("Content-Type")).toBe("application/problem+json")
      expect(await response.text()).not.toContain("ten per minute")
    }
    expect(fetched).not.toHaveBeenCalled()
    expect(log).toHaveBeenCalledTimes(1)
    expect(log.mock.calls[0]![0]).toMatch(/^Cannot serve: LIMITS\[0\]\.policy is "ten per minute"/)
  })
})

describe("the deployed Worker with an upstream", () => {
  /** Answers in place of the network, and keeps what it was asked. */
  function upstream(answer: (request: Request) => Response | Promise<Response>): Request[] {
    const asked: Request[] = []
    vi.spyOn(globalThis, "fetch").mockImplementation(async (input, init) => {
      const request = new Request(input as Request, init as RequestInit)
      asked.push(request)
      return answer(request)
    })
    return asked
  }

  const limited = (policy: string) => ({
    LIMITS: [{ name: freshName(), paths: ["/api"], policy }],
    UPSTREAM: "https://upstream.example/base/",
  })

  test("passes on method, path, query, headers and body, and the answer back", async () => {
    const asked = upstream(
      async (request) =>
        new Response(`got ${await request.text()}`, {
          status: 201,
          headers: { "X-Answer": "yes", "Set-Cookie": "a=1" },
        }),
    )
    const response = await deployed(limited("2/day"))("/api/things//x%2Fy?q=%20a&b", {
      method: "POST",
      body: "a body",
      headers: { ...CLIENT, "Content-Type": "text/plain", "X-Custom": "kept" },
    })
    expect(response.status).toBe(201)
    expect(await response.text()).toBe("got a body")
    expect(response.headers.get("X-Answer")).toBe("yes")
    expect(response.headers.get("Set-Cookie")).toBe("a=1")
    expect(response.headers.get("RateLimit")).toMatch(/r=1;/)
    expect(asked).toHaveLength(1)
    expect(asked[0]!.method).toBe("POST")
    expect(asked[0]!.url).toBe("https://upstream.example/base/api/things//x%2Fy?q=%20a&b")
    expect(asked[0]!.redirect).toBe("manual")
    expect(asked[0]!.headers.get("X-Custom")).toBe("kept")
    expect(asked[0]!.headers.get("Content-Type")).toBe("text/plain")
  })

  test("does not ask it for a request that is denied", async () => {
    const asked = upstream(() => new Response("ok"))
    const ask = deployed(limited("1/day"))
    expect([(await ask("/api")).status, (await ask("/api")).status]).toEqual([200, 429])
    expect(asked).toHaveLength(1)
  })

  test("proxies paths that no limit protects", async () => {
    const asked = upstream(() => new Response("ok"))
    const ask = deployed(limited("1/day"))
    for (let time = 0; time < 3; time++) expect((await ask("/open")).status).toBe(200)
    expect(asked.map(({ url }) => url)).toEqual(Array(3).fill("https://upstream.example/base/open"))
  })

  test("leaves a path that looks like a host a path", async () => {
    const asked = upstream(() => new Response("ok"))
    await deployed(limited("1/day"))("//evil.example/x")
    expect(asked[0]!.url).toBe("https://upstream.example/base//evil.example/x")
  })

  test("passes redirects and failures back as they are", async () => {
    upstream(({ url }) =>
      url.endsWith("moved")
        ? new Response(null, { status: 302, headers: { Location: "/elsewhere" } })
        : new Response("broken", { status: 500 }),
    )
    const ask = deployed(limited("9/day"))
    const moved = await ask("/api/moved")
    expect([moved.status, moved.headers.get("Location")]).toEqual([302, "/elsewhere"])
    const broken = await ask("/api/broken")
    expect([broken.status, await broken.text()]).toEqual([500, "broken"])
  })

  test("is a 502 where it does not answer, with the limit's fields", async () => {
    const log = vi.spyOn(console, "error").mockImplementation(() => {})
    upstream(() => Promise.reject(new TypeError("connection refused by 10.0.0.1")))
    const response = await deployed(limited("9/day"))("/api")
    expect(response.status).toBe(502)
    expect(response.headers.get("RateLimit")).toMatch(/r=8;/)
    expect(await response.text()).not.toContain("10.0.0.1")
    expect(log.mock.calls).toEqual([["The upstream did not answer:", expect.any(TypeError)]])
  })

  test("does not blame it alone where the client's upload broke off, which looks the same", async () => {
    const log = vi.spyOn(console, "error").mockImplementation(() => {})
    upstream(async (request) => new Response(await request.text()))
    const { readable, writable } = new IdentityTransformStream()
    const answer = deployed(limited("9/day"))("/api", { method: "POST", body: readable })
    const client = writable.getWriter()
    await client.write(new TextEncoder().encode("the beginning"))
    await client.abort(new Error("Network connection lost."))
    expect((await answer).status).toBe(502)
    expect(log.mock.calls).toEqual([
      ["The upstream did not answer, or the client went away in mid-upload: Error: Network connection lost."],
    ])
  })

  test("logs nothing where the client is known to have gone", async () => {
    const log = vi.spyOn(console, "error").mockImplementation(() => {})
    const client = new AbortController()
    upstream(() => {
      client.abort()
      throw client.signal.reason
    })
    expect((await deployed(limited("9/day"))("/api", { signal: client.signal })).status).toBe(502)
    expect(log).not.toHaveBeenCalled()
  })
})

describe("forwardedHeaders()", () => {
  test("drops what is about the client's connection, and what Connection names", () => {
    const headers = forwardedHeaders(
      new Headers({
        Connection: "close, X-Hop , ???",
        "X-Hop": "1",
        "Keep-Alive": "timeout=5",
        "Proxy-Authorization": "Basic x",
        "Proxy-Connection": "keep-alive",
        TE: "trailers",
        Trailer: "X",
        "Transfer-Encoding": "chunked",
        Upgrade: "h2c",
        Authorization: "Bearer kept",
        "X-Forwarded-For": "192.0.2.1",
      }),
    )
    expect([...headers.keys()].sort()).toEqual(["authorization", "x-forwarded-for"])
  })

  test.each([
    "Authorization",
    "Cookie",
    "CF-Connecting-IP",
    "X-Forwarded-For",
    "X-Forwarded-Proto",
    "Forwarded",
    "X-Real-IP",
    "True-Client-IP",
    "X-Api-Key",
    "X-CSRF-Token",
    "X-User-Id",
    "Origin",
    "Host",
    "Content-Type",
    "Content-Encoding",
    "Sec-Fetch-Site",
    "Idempotency-Key",
    "If-Match",
  ])("keeps %s, whatever the client's Connection says", (name) => {
    for (const spelling of [name, name.toLowerCase(), name.toUpperCase()]) {
      const headers = forwardedHeaders(
        new Headers({ Connection: `close,  ${spelling} , X-Hop`, "X-Hop": "1", [name]: "v" }),
      )
      expect(Object.fromEntries(headers)).toEqual({ [name.toLowerCase()]: "v" })
    }
  })

  test("keeps the wish for a WebSocket", () => {
    const headers = forwardedHeaders(
      new Headers({ Connection: "Upgrade", Upgrade: "WebSocket", "Sec-WebSocket-Key": "x" }),
    )
    expect(Object.fromEntries(headers)).toEqual({ upgrade: "websocket", "sec-websocket-key": "x" })
  })
})
