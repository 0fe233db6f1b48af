import { createHash } from "node:crypto"
import { once } from "node:events"
import { createServer, type IncomingMessage, request as nodeRequest } from "node:http"
import { connect } from "node:net"
import type { Duplex } from "node:stream"
import { afterEach, describe, expect, test, vi } from "vitest"
import { rateLimit, rateLimitUpgrade, type UpgradeOptions } from "../../src/adapters/node.js"
import { ManualClock } from "../../src/types/clock.js"
import type { Decision } from "../../src/types/decision.js"
import { decisionOf, denialOf, FakeLimiter } from "../http/fake-limiter.js"
import { deferred, settled } from "../http/requests.js"
import { listening, type RunningServer } from "./adapter-cases.js"

/** The server's half of RFC 6455's opening, and then one text frame. */
function open(request: IncomingMessage, socket: Duplex): void {
  const key = `${request.headers["sec-websocket-key"]}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`
  const accept = createHash("sha1").update(key).digest("base64")
  const fields = `Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}`
  socket.write(`HTTP/1.1 101 Switching Protocols\r\n${fields}\r\n\r\n`)
  socket.write("\x81\x05hello", "latin1")
}

const UPGRADE = { Connection: "Upgrade", Upgrade: "websocket" }

describe("rateLimitUpgrade()", () => {
  let running: RunningServer | undefined
  const sockets: Duplex[] = []
  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy()
    await running?.close()
    running = undefined
  })

  async function serve(options: Partial<UpgradeOptions> = {}, listener: typeof open = open) {
    const seen = vi.fn()
    const server = createServer(rateLimit((_request, response) => response.end("page"), { policy: "1/minute" }))
    const clock = new ManualClock(0)
    const limited = rateLimitUpgrade(
      (request, socket) => {
        seen(request.url)
        return listener(request, socket)
      },
      { policy: "1/minute", clock, ...options },
    )
    server.on("upgrade", (request, socket, head) => {
      sockets.push(socket)
      return limited(request, socket, head)
    })
    running = await listening(server)
    return { seen, url: running.url }
  }

  test("opens a WebSocket within the limit, and answers the next one with 429, fields and problem details", async () => {
    const decisions: Decision[] = []
    const { url } = await serve({ onDecision: (decision) => void decisions.push(decision) })
    const socket = new WebSocket(url.replace("http", "ws"))
    const [message] = (await once(socket, "message")) as [MessageEvent]
    expect(message.data).toBe("hello")

    const denied = nodeRequest(url, { headers: UPGRADE }).end()
    const [response] = (await once(denied, "response")) as [IncomingMessage]
    expect(response.statusCode).toBe(429)
    expect(response.headers).toMatchObject({
      "retry-after": "60",
      ratelimit: '"default";r=0;t=60',
      "content-type": "application/problem+json",
      connection: "close",
    })
    expect(JSON.parse(Buffer.concat(await response.toArray()).toString())).toMatchObject({ status: 429 })
    expect(decisions.map(({ key }) => key)).toEqual(["ip:127.0.0.1", "ip:127.0.0.1"])
    // The limit on the server's requests has seen none of the two.
    expect((await fetch(url)).status).toBe(200)
  })

  test("refuses a path that another reader takes for another one", async () => {
    const { seen, url } = await serve()
    const refused = nodeRequest(url, { path: "/a/../b", headers: UPGRADE }).end()
    const [response] = (await once(refused, "response")) as [IncomingMessage]
    expect(response.statusCode).toBe(400)
    expect(seen).not.toHaveBeenCalled()
  })

  test("writes what onLimited answers, cookies too", async () => {
    const headers = [
      ["Set-Cookie", "a=1"],
      ["Set-Cookie", "b=2"],
      ["X-Own", "ü"],
    ] as [string, string][]
    const { url } = await serve({
      limiter: () => new FakeLimiter(() => denialOf()),
      onLimited: () => new Response("later", { status: 403, statusText: "Not yet", headers }),
    })
    const [response] = (await once(nodeRequest(url, { headers: UPGRADE }).end(), "response")) as [IncomingMessage]
    expect([response.statusCode, response.statusMessage]).toEqual([403, "Not yet"])
    expect(response.headers).toMatchObject({ "set-cookie": ["a=1", "b=2"], "x-own": "ü", "content-length": "5" })
    expect(Buffer.concat(await response.toArray()).toString()).toBe("later")
  })

  test.each(["end", "resetAndDestroy"] as const)(
    "calls no listener for a client that is gone before its turn, by %s()",
    async (leave) => {
      const answer = deferred<Decision>()
      const limiter = new FakeLimiter(() => answer.promise)
      const { seen, url } = await serve({ limiter: () => limiter })
      const client = connect(Number(new URL(url).port), "127.0.0.1")
      client.on("error", () => {})
      client.write("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
      await vi.waitFor(() => expect(limiter.checks).toHaveLength(1))
      const gone = new Promise((resolve) => {
        for (const event of ["end", "close"]) sockets[0]!.once(event, resolve)
      })
      client[leave]()
      await gone
      answer.resolve(decisionOf())
      await settled()
      expect(sockets[0]!.destroyed).toBe(true)
      expect(seen).not.toHaveBeenCalled()
      expect(limiter.refunds).toEqual([])
    },
  )

  test("leaves a socket that is opened to its listener alone", async () => {
    const listeners = (socket: Duplex) => ["end", "error", "close"].map((event) => socket.listenerCount(event))
    const opened = deferred<number[]>()
    const limited = rateLimitUpgrade(
      (_request, socket) => {
        opened.resolve(listeners(socket))
        socket.destroy()
      },
      { policy: "1/minute" },
    )
    let before: number[] = []
    const server = createServer().on("upgrade", (request, socket, head) => {
      before = listeners(socket)
      return limited(request, socket, head)
    })
    running = await listening(server)
    nodeRequest(running.url, { headers: UPGRADE })
      .on("error", () => {})
      .end()
    expect(await opened.promise).toEqual(before)
  })

  test.each([
    ["throws", () => void JSON.parse("no JSON")],
    ["rejects", () => Promise.reject(new SyntaxError("own")) as never],
  ])("closes the connection and tells onError where the listener %s", async (_what, listener) => {
    const onError = vi.fn()
    const { url } = await serve({ onError }, listener)
    const [error] = await once(nodeRequest(url, { headers: UPGRADE }).end(), "error")
    expect(error).toMatchObject({ code: "ECONNRESET" })
    expect(onError.mock.calls.map(([thrown]) => thrown)).toEqual([expect.any(SyntaxError)])
  })

  test.each([{ skipFailedRequests: true }, { skipSuccessfulRequests: true }, { penalty: () => 1 }])(
    "refuses what follows from a response that it never sees: %o",
    (option) => {
      const options = { policy: "1/minute", ...option } as UpgradeOptions
      const text = `${Object.keys(option)[0]} is given, allowed is that only with rateLimit.`
      expect(() => rateLimitUpgrade(open, options)).toThrow(new RangeError(`Cannot rate limit: ${text}`))
    },
  )
})
