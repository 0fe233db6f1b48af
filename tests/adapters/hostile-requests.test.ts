import { once } from "node:events"
import { createServer, get, type IncomingMessage, type ServerResponse } from "node:http"
import {
  connect as connectHttp2,
  createServer as createHttp2Server,
  type Http2ServerRequest,
  type Http2ServerResponse,
} from "node:http2"
import type { AddressInfo } from "node:net"
import { afterEach, describe, expect, test, vi } from "vitest"
import { rateLimit as nodeLimit } from "../../src/adapters/node.js"
import { deferred, settled } from "../http/requests.js"
import { listening, type RunningServer, type SuiteOptions } from "./adapter-cases.js"
import { NODE_SERVERS } from "./node-servers.js"
import { exchange } from "./raw-exchange.js"
import { slowLimiter } from "./slow-limiter.js"

/** Sends a head as it stands, as no client library would, and tells the status of the answer. */
async function statusOf(url: string, target: string, host: string, method = "GET"): Promise<number> {
  const answer = await exchange(url, `${method} ${target} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`)
  return Number(/^HTTP\/1.1 (\d+)/.exec(answer)?.[1])
}

let running: RunningServer | undefined
afterEach(async () => {
  await running?.close()
  running = undefined
})

describe.each(Object.keys(NODE_SERVERS))("rateLimit() of %s", (name) => {
  async function serve(options: SuiteOptions) {
    running = await NODE_SERVERS[name]!({ key: () => "all", ...options })
    return running.url
  }

  test.each([
    "u@b",
    "u:p@b",
    "a/health?",
    "a/health#",
    "a/x/../health?",
    "a?",
    "a#",
    "a\\",
    "a/",
    "[::1",
    "[::1]x",
    "a:99999",
    "a:b",
    "%",
    "a b",
    "",
  ])("sees the path that was asked for, whatever the host: %j", async (host) => {
    const seen: string[] = []
    const skip = ({ url }: Request) => {
      seen.push(url)
      return new URL(url).pathname === "/health"
    }
    const url = await serve({ policy: "1/minute", skip })
    const statuses = [await statusOf(url, "/login?a=b", host), await statusOf(url, "/login?a=b", host)]
    expect(statuses).toEqual([200, 429])
    expect(seen).toEqual(Array(2).fill("http://localhost/login?a=b"))
  })

  test.each([
    ["example.com:8080", "http://example.com:8080/"],
    ["[::1]:80", "http://[::1]/"],
    ["192.0.2.1", "http://192.0.2.1/"],
    ["my_service", "http://my_service/"],
  ])("keeps the host that is one: %s", async (host, expected) => {
    const seen: string[] = []
    const url = await serve({ policy: "9/minute", onDecision: (_decision, request) => void seen.push(request.url) })
    await statusOf(url, "/", host)
    expect(seen).toEqual([expected])
  })

  test("keeps the query of a target in absolute form", async () => {
    const seen: string[] = []
    const url = await serve({ policy: "9/minute", onDecision: (_decision, request) => void seen.push(request.url) })
    for (const path of ["/a?b=c", "?b=c"]) await statusOf(url, `http://other.example${path}`, "localhost")
    expect(seen).toEqual(["http://localhost/a?b=c", "http://localhost/?b=c"])
  })

  test.each([
    "http:///login",
    "http://a@b/login",
    "http://a?/login",
    "ftp://a/login",
    "/login/../health",
    "/login/%2e%2e/health",
    "/health/.%2E?a=b",
    "/login/./health",
    "http://a/login/..",
    "/login\\..\\health",
    "/login\\",
  ])("refuses %s, whose path is another one to another reader, before anything is asked", async (target) => {
    const skip = vi.fn(() => true)
    expect(await statusOf(await serve({ policy: "1/minute", skip }), target, "localhost")).toBe(400)
    expect(skip).not.toHaveBeenCalled()
  })

  test.each([
    ["//a/login", "//a/login"],
    ["/a/..%2Flogin", "/a/..%2Flogin"],
    ["/...", "/..."],
    ["/.well-known/a..b/..c", "/.well-known/a..b/..c"],
    ['/"{a}', "/%22%7Ba%7D"],
    ["/a?b=/../c\\", "/a"],
    ["http://a", "/"],
    ["http://a?b", "/"],
  ])("takes the path of %s as it is", async (target, path) => {
    const seen: string[] = []
    const skip = ({ url }: Request) => seen.push(new URL(url).pathname) > 0
    await statusOf(await serve({ policy: "1/minute", skip }), target, "localhost")
    expect(seen).toEqual([path])
  })

  test("sees one of several fields where the application does, and else all of them", async () => {
    const seen: unknown[] = []
    const key = ({ headers }: Request) => {
      seen.push(["authorization", "user-agent", "x-tenant", "cookie"].map((field) => headers.get(field)))
      return "all"
    }
    const url = await serve({ policy: "1/minute", key })
    const fields = ["Authorization: Bearer", "User-Agent: agent", "X-Tenant: tenant", "Cookie: a="]
    const twice = fields.map((field) => `${field} 1\r\n${field} 2\r\n`).join("")
    await exchange(url, `GET / HTTP/1.1\r\nHost: a\r\n${twice}Connection: close\r\n\r\n`)
    expect(seen).toEqual([["Bearer 1", "agent 1", "tenant 1, tenant 2", "a= 1; a= 2"]])
  })

  test("asks a body of onLimited for no more than its client reads", async () => {
    const { pulled, cancelled, onLimited } = endlessBody()
    const url = await serve({ policy: "1/minute", onLimited })
    await statusOf(url, "/", "localhost")
    const client = get(url, { agent: false })
    const [denial] = (await once(client, "response")) as [IncomingMessage]
    await once(denial, "readable")
    // Until nothing more is asked for, since what the kernel keeps for a client differs.
    for (let quiet = 0, before = 0; quiet < 20; quiet = before === pulled() ? quiet + 1 : 0) {
      before = pulled()
      await settled()
    }
    expect(pulled()).toBeLessThan(MOST_PULLED)
    client.destroy()
    await cancelled
  })
})

/** After so much the body ends where nobody stops it, and the test fails all the same. */
const MOST_PULLED = 5_000

/** An answer of 64 KiB at a time, hardly with an end. */
function endlessBody() {
  const cancelled = deferred<void>()
  let pulled = 0
  const onLimited = () => {
    const body = new ReadableStream({
      pull(controller) {
        pulled += 1
        if (pulled >= MOST_PULLED) controller.close()
        else controller.enqueue(new Uint8Array(65_536))
      },
      cancel: () => cancelled.resolve(),
    })
    return new Response(body, { status: 420 })
  }
  return { pulled: () => pulled, cancelled: cancelled.promise, onLimited }
}

describe("rateLimit() of sluice/node", () => {
  test("asks nothing of a body that answers HEAD", async () => {
    const { pulled, cancelled, onLimited } = endlessBody()
    const limited = nodeLimit((_request, response) => response.end(), {
      policy: "1/minute",
      key: () => "all",
      onLimited,
    })
    running = await listening(createServer(limited))
    const statuses = [await statusOf(running.url, "/", "a", "HEAD"), await statusOf(running.url, "/", "a", "HEAD")]
    await cancelled
    // The stream itself asks for the first, before anybody reads.
    expect([statuses, pulled()]).toEqual([[200, 420], 1])
  })

  test("tells of the limit where the listener fails, and nothing that the listener said of its answer", async () => {
    const outer = { policy: "9/minute as outer", headers: ["draft-11", "legacy"] } as const
    const failing = nodeLimit(
      (_request: IncomingMessage, response: ServerResponse) => {
        response.setHeader("etag", '"a"')
        throw new Error("own")
      },
      { policy: "9/minute as inner", onError: () => {} },
    )
    running = await listening(createServer(nodeLimit(failing, outer)))
    const { status, headers } = await fetch(running.url)
    expect([status, headers.has("etag")]).toEqual([500, false])
    expect(headers.get("ratelimit")).toMatch(/^"outer";r=8;t=\d+, "inner";r=8;t=\d+$/)
    expect(headers.get("ratelimit-policy")).toBe('"outer";q=9;w=60, "inner";q=9;w=60')
    expect(headers.get("x-ratelimit-remaining")).toBe("8")
  })

  test.each([
    ["failed once its answer had begun", false],
    ["failed once its answer was complete", true],
  ])("counts a request by the status that was sent, also where its listener %s", async (_what, ends) => {
    const statuses: number[] = []
    const penalty = ({ status }: { status: number }) => statuses.push(status)
    const { counts, limiter, answer } = slowLimiter("9/minute")
    answer()
    const options = { policy: "9/minute", key: () => "all", skipFailedRequests: true, penalty, limiter }
    const limited = nodeLimit(
      (_request: IncomingMessage, response: ServerResponse) => {
        response.writeHead(200)
        response.write("half")
        if (ends) response.end()
        throw new Error("own")
      },
      { ...options, onError: () => {} },
    )
    running = await listening(createServer(limited))
    await fetch(running.url).then(
      (response) => response.text(),
      () => {},
    )
    await vi.waitFor(() => expect(counts.status("all").remaining).toBe(7))
    expect(statuses).toEqual([200])
  })

  test.each([
    [401, undefined],
    // As Koa does it.
    [200, "OK"],
  ])(
    "charges a penalty by the %s that a listener leaves where it answers no client that has gone",
    async (left, text) => {
      const { counts, limiter, answer } = slowLimiter("9/minute")
      answer()
      const penalty = ({ status }: { status: number }) => (status === left ? 4 : 0)
      const closed = deferred<void>()
      const limited = nodeLimit(
        async (_request: IncomingMessage, response: ServerResponse) => {
          response.once("close", closed.resolve).destroy()
          await closed.promise
          response.statusCode = left
          if (text) response.statusMessage = text
        },
        { policy: "9/minute", key: () => "all", penalty, limiter },
      )
      running = await listening(createServer(limited))
      await fetch(running.url).catch(() => {})
      await vi.waitFor(() => expect(counts.status("all").remaining).toBe(4))
    },
  )

  test("charges a penalty by what is answered over HTTP/2 to a client that has gone", async () => {
    const { counts, limiter, answer } = slowLimiter("9/minute")
    answer()
    const penalty = ({ status }: { status: number }) => (status === 401 ? 4 : 0)
    const [asked, closed] = [deferred<void>(), deferred<void>()]
    const limited = nodeLimit(
      async (_request: Http2ServerRequest, response: Http2ServerResponse) => {
        response.once("close", closed.resolve)
        asked.resolve()
        await closed.promise
        response.writeHead(401).end()
      },
      { policy: "9/minute", key: () => "all", penalty, limiter },
    )
    running = await listening(createHttp2Server(limited))
    const session = connectHttp2(running.url)
    const stream = session.request({ ":path": "/" }).on("error", () => {})
    await asked.promise
    stream.close()
    await vi.waitFor(() => expect(counts.status("all").remaining).toBe(4))
    session.close()
  })

  test("settles by the status that a listener leaves over HTTP/2, and Node has nothing to warn of", async () => {
    const { counts, limiter, answer } = slowLimiter("9/minute")
    answer()
    const penalty = ({ status }: { status: number }) => (status === 401 ? 4 : 0)
    const warned = vi.spyOn(process, "emitWarning")
    const left = [200, 401]
    const limited = nodeLimit(
      async (_request: Http2ServerRequest, response: Http2ServerResponse) => {
        const closed = once(response, "close")
        response.stream.close()
        await closed
        response.statusCode = left.shift()!
      },
      { policy: "9/minute", key: () => "all", penalty, limiter },
    )
    running = await listening(createHttp2Server(limited))
    const session = connectHttp2(running.url)
    for (const remaining of [8, 3]) {
      const stream = session.request({ ":path": "/" })
      stream.resume()
      await once(stream, "close")
      await vi.waitFor(() => expect(counts.status("all").remaining).toBe(remaining))
    }
    expect(warned).not.toHaveBeenCalled()
    warned.mockRestore()
    session.close()
  })

  test("answers 500 where the listener fails, tells onError, and goes on", async () => {
    const own = new Error("own")
    const onError = vi.fn()
    const answers = [
      () => Promise.reject(own),
      () => {
        throw own
      },
      () => undefined,
    ]
    const limited = nodeLimit(
      async (_request, response) => {
        response.setHeader("x-partial", "1")
        await answers.shift()!()
        response.end()
      },
      { policy: "9/minute", onError },
    )
    running = await listening(createServer(limited))
    const statuses: number[] = []
    for (let asked = 0; asked < 3; asked++) statuses.push(await statusOf(running.url, "/", "localhost"))
    expect(statuses).toEqual([500, 500, 200])
    expect(onError.mock.calls.map(([error]) => error)).toEqual([own, own])
  })

  test("leaves an answer alone that was complete before the listener failed", async () => {
    const onError = vi.fn()
    const limited = nodeLimit(
      (_request: IncomingMessage, response: ServerResponse) => {
        response.end("x".repeat(1_000_000))
        throw new Error("own")
      },
      { policy: "9/minute", onError },
    )
    running = await listening(createServer(limited))
    const answer = await fetch(running.url)
    expect((await answer.text()).length).toBe(1_000_000)
    expect(onError).toHaveBeenCalledOnce()
  })

  test("breaks off an answer of HTTP/2 that the listener began before it failed, so that it does not look complete", async () => {
    const limited = nodeLimit(
      (_request: Http2ServerRequest, response: Http2ServerResponse) => {
        response.writeHead(200)
        response.write("half")
        throw new Error("own")
      },
      { policy: "9/minute", onError: () => {} },
    )
    const server = createHttp2Server(limited)
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
    const session = connectHttp2(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
    const code = await new Promise((resolve) => {
      const stream = session.request({ ":path": "/" })
      stream.on("error", () => {})
      stream.on("close", () => resolve(stream.rstCode))
      stream.resume().end()
    })
    session.close()
    server.close()
    expect(code).toBe(2)
  })

  test("ends the connection where the listener fails after its answer began", async () => {
    const onError = vi.fn()
    const limited = nodeLimit(
      (_request: IncomingMessage, response: ServerResponse) => {
        response.writeHead(200)
        response.write("half")
        throw new Error("own")
      },
      { policy: "9/minute", onError },
    )
    running = await listening(createServer(limited))
    const { url } = running
    await expect(fetch(url).then((response) => response.text())).rejects.toThrow()
    expect(onError).toHaveBeenCalledOnce()
  })
})
