import { createServer, type IncomingMessage, type RequestListener } from "node:http"
import { connect, createServer as createHttp2Server, type Http2ServerRequest } from "node:http2"
import { connect as connectSocket } from "node:net"
import express from "express"
import { expect, expectTypeOf, test, vi } from "vitest"
import { rateLimit } from "../../src/adapters/node.js"
import { answerTo, declareAdapterCases, listening } from "./adapter-cases.js"
import { bodyOf } from "./node-body.js"
import { slowLimiter } from "./slow-limiter.js"

declareAdapterCases({
  name: "sluice/node",
  hearsOfClients: true,
  start(options) {
    const answer: RequestListener = async (message, response) => {
      try {
        const { status, body } = answerTo(message.url!.split("?")[0]!, await bodyOf(message))
        response.writeHead(status).end(body)
      } catch {
        response.writeHead(500).end()
      }
    }
    const limited = options.reduceRight<RequestListener>((listener, each) => rateLimit(listener, each), answer)
    return listening(createServer(limited))
  },
})

test("rateLimit() of sluice/node denies nothing where an answer began while the limiter was asked", async () => {
  const { counts, limiter, asked, answer } = slowLimiter("1/minute")
  counts.check("all")
  const [listener, onError] = [vi.fn(), vi.fn()]
  const limited = rateLimit(listener, { policy: "1/minute", key: () => "all", limiter, onError })
  const server = createServer((request, response) => {
    void asked.then(() => {
      response.writeHead(503).write("too ")
      answer()
    })
    void limited(request, response).then(() => response.end("late"))
  })
  const { url, close } = await listening(server)
  const response = await fetch(url, { headers: { connection: "close" } })
  expect([response.status, await response.text()]).toEqual([503, "too late"])
  expect([listener.mock.calls, onError.mock.calls]).toEqual([[], []])
  await close()
})

test("rateLimit() of sluice/node closes the connection where a denial fails that waits for the answer before it", async () => {
  const closed = Promise.withResolvers<void>()
  const failing = () => {
    const body = new ReadableStream({
      start: (controller) => controller.enqueue(Uint8Array.of(97)),
      pull: (controller) => controller.error(new Error("own")),
    })
    return new Response(body, { status: 420 })
  }
  const options = { policy: "1/minute", key: () => "all", onLimited: failing, onError: () => {} }
  const limited = rateLimit(async (_request, response) => {
    // Ends once the one behind it has failed.
    setTimeout(() => response.end("ok"), 100)
  }, options)
  const { url, close } = await listening(createServer(limited))
  const socket = connectSocket(Number(new URL(url).port), "127.0.0.1", () => {
    socket.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n".repeat(2))
  })
  socket
    .on("error", () => {})
    .on("close", () => closed.resolve())
    .resume()
  await closed.promise
  await close()
})

test("rateLimit() of sluice/node tries no pseudo-field of HTTP/2 as a field, which would be a costly error", async () => {
  const append = vi.spyOn(Headers.prototype, "append")
  const limited = rateLimit((_request, response) => response.end(), { policy: "1/minute", key: () => "all" })
  const { url, close } = await listening(createHttp2Server(limited))
  const client = connect(url)
  const stream = client.request({ ":path": "/", "x-own": "1" }).resume()
  await new Promise((resolve) => stream.on("close", resolve))
  client.close()
  await close()
  expect(append).toHaveBeenCalledWith("x-own", "1")
  expect(append.mock.results.filter(({ type }) => type === "throw")).toEqual([])
  append.mockRestore()
})

test("rateLimit() of sluice/node goes around the listener of an HTTP/2 server", async () => {
  const seen: string[] = []
  const settled: unknown[] = []
  const key = (request: Request) => {
    seen.push(`${request.method} ${request.url}`)
    return "all"
  }
  const server = createHttp2Server(
    rateLimit((_request, response) => response.end("hello"), {
      policy: "1/minute",
      key,
      penalty: ({ status, headers }) => {
        settled.push([status, headers.get("ratelimit")])
        return 0
      },
    }),
  )
  const { url, close } = await listening(server)
  const client = connect(url)
  const ask = (path = "/a?b=1") =>
    new Promise<{ status: number; body: string }>((resolve, reject) => {
      const stream = client.request({ ":path": path })
      let status = 0
      let body = ""
      stream.setEncoding("utf8")
      stream.on("response", (fields) => {
        status = fields[":status"]!
      })
      stream.on("data", (chunk) => {
        body += chunk
      })
      stream.on("end", () => resolve({ status, body }))
      stream.on("error", reject)
    })
  expect(await ask()).toMatchObject({ status: 200, body: "hello" })
  expect(await ask()).toMatchObject({ status: 429, body: expect.stringContaining("quota-exceeded") })
  expect(await ask("/a/../b")).toMatchObject({ status: 400 })
  expect(seen).toEqual([`GET ${url}/a?b=1`, `GET ${url}/a?b=1`])
  expect(settled).toEqual([[200, '"default";r=0;t=60']])
  client.close()
  await close()
})

test("rateLimit() of sluice/node goes around an application of Express, and options get Node's own request", async () => {
  const seen: boolean[] = []
  const app = express().get("/", (_request, response) => void response.send("hello"))
  const limited = rateLimit(app, {
    policy: "1/minute",
    key: (_request, message) => {
      expectTypeOf(message).toEqualTypeOf<IncomingMessage>()
      seen.push("ip" in message)
      return "all"
    },
  })
  const { url, close } = await listening(createServer(rateLimit(limited, { policy: "9/minute" })))
  const statuses: number[] = []
  for (let asked = 0; asked < 2; asked++) statuses.push((await fetch(url)).status)
  await close()
  expect([statuses, seen]).toEqual([
    [200, 429],
    [false, false],
  ])
})

test("rateLimit() of sluice/node fits servers of each kind by the types of its listener", () => {
  const options = { policy: "1/minute" }
  createServer(rateLimit((_message, response) => response.end(), options))
  createHttp2Server(rateLimit((_message, response) => void response.end(), options))
  createHttp2Server(
    rateLimit((_message: Http2ServerRequest, response) => response.stream.close(), {
      ...options,
      key: (_request, { stream }) => String(stream.id),
    }),
  )
  type Known = IncomingMessage & { user: string }
  const ofUser = rateLimit((_message: Known) => {}, { ...options, key: (_request, { user }) => user })
  expectTypeOf(ofUser).parameter(0).toEqualTypeOf<Known>()
})
