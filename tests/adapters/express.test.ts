import { createServer, type IncomingMessage, request } from "node:http"
import connect from "connect"
import express from "express"
import { describe, expect, expectTypeOf, test, vi } from "vitest"
import { rateLimit } from "../../src/adapters/express.js"
import { answerTo, declareAdapterCases, listening } from "./adapter-cases.js"
import { bodyOf } from "./node-body.js"
import { exchange } from "./raw-exchange.js"
import { slowLimiter } from "./slow-limiter.js"

declareAdapterCases({
  name: "sluice/express in Express",
  hearsOfClients: true,
  start(options) {
    const app = express()
    for (const each of options) app.use(rateLimit(each))
    app.use(express.text())
    app.use((request, response) => {
      const { status, body } = answerTo(request.path, request.body ?? "")
      response.status(status).send(body)
    })
    app.use((_error: unknown, _request: unknown, response: express.Response, _next: unknown) => {
      response.status(500).end()
    })
    return listening(createServer(app))
  },
})

declareAdapterCases({
  name: "sluice/express in Connect",
  hearsOfClients: true,
  start(options) {
    const app = connect()
    for (const each of options) app.use(rateLimit(each))
    app.use(async (message, response, next) => {
      try {
        const { status, body } = answerTo(message.url!.split("?")[0]!, await bodyOf(message))
        response.statusCode = status
        response.end(body)
      } catch (error) {
        next(error)
      }
    })
    app.use((_error: unknown, _message: unknown, response: import("node:http").ServerResponse, _next: unknown) => {
      response.statusCode = 500
      response.end()
    })
    return listening(createServer(app))
  },
})

describe("rateLimit() of sluice/express", () => {
  test("sees Express' request, its path from the root, and the address that trust proxy says", async () => {
    const seen: unknown[] = []
    const app = express()
    app.set("trust proxy", 1)
    const router = express.Router()
    router.use(
      rateLimit({
        policy: (web, request) => {
          seen.push([new URL(web.url).pathname, request.path, request.ip])
          return "9/minute"
        },
        onDecision: ({ key }) => void seen.push(key),
      }),
    )
    router.get("/a", (_request, response) => void response.send("a"))
    app.use("/inner", router)
    const { url, close } = await listening(createServer(app))
    const headers = { "x-forwarded-for": "192.0.2.7", connection: "close" }
    expect((await fetch(`${url}/inner/a`, { headers })).status).toBe(200)
    expect(seen).toEqual([["/inner/a", "/a", "192.0.2.7"], "ip:192.0.2.7"])
    await close()
  })

  test("leaves a route's parameters the types of its path, and its own functions the request that they name", async () => {
    const app = express()
    const limit = rateLimit({ policy: "9/minute", key: (_web, { path }) => path })
    app.get("/users/:id", limit, rateLimit({ policy: "9/minute" }), (request, response) => {
      expectTypeOf(request.params.id).toEqualTypeOf<string>()
      response.send(request.params.id)
    })
    interface Known extends express.Request {
      readonly user: string
    }
    const ofUser = rateLimit({ policy: "9/minute", key: (_web, { user }: Known) => user })
    expectTypeOf(ofUser).parameter(0).toEqualTypeOf<Known>()
    connect().use(rateLimit({ policy: "9/minute", key: (_web, { originalUrl }) => originalUrl ?? "none" }))
    // @ts-expect-error A request of Connect has no path.
    connect().use(rateLimit({ policy: "9/minute", key: (_web, { path }) => path }))
    const { url, close } = await listening(createServer(app))
    const response = await fetch(`${url}/users/7`, { headers: { connection: "close" } })
    expect(await response.text()).toBe("7")
    await close()
  })

  test("fails for a path that readers differ about with a stack of one line, as Express prints stacks", async () => {
    const failed = vi.fn()
    const app = express()
    app.use(rateLimit({ policy: "1/minute" }))
    app.use(((error, _request, response, _next) => {
      failed(error.status, error.stack)
      response.status(error.status).end()
    }) satisfies express.ErrorRequestHandler)
    const { url, close } = await listening(createServer(app))
    await exchange(url, "GET /a/../b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    expect(failed).toHaveBeenCalledExactlyOnceWith(400, expect.stringMatching(/^Error: Cannot read the request: .*\.$/))
    await close()
  })

  test("denies without what middleware before said of the body of its answer", async () => {
    const app = express()
    app.use((_request, response, next) => {
      response.set({ "Content-Length": "3", "Content-Encoding": "gzip", ETag: '"a"', "X-Own": "kept" })
      next()
    })
    app.use(rateLimit({ policy: "1/minute", key: () => "all" }))
    app.use((_request, response) => void response.end())
    const { url, close } = await listening(createServer(app))
    await new Promise((resolve) => request(url, { method: "HEAD" }, resolve).end())
    const denied = await fetch(url, { headers: { connection: "close" } })
    expect(await denied.json()).toMatchObject({ status: 429 })
    const fields = ["content-encoding", "etag", "x-own"].map((name) => denied.headers.get(name))
    expect(fields).toEqual([null, null, "kept"])
    await close()
  })

  test("denies with one of Content-Length and Transfer-Encoding, whatever middleware before set", async () => {
    const app = express()
    app.use((_request, response, next) => void next(void response.set("Transfer-Encoding", "chunked")))
    const onLimited = () => new Response("no", { status: 429, headers: { "content-length": "2" } })
    app.use(rateLimit({ policy: "1/minute", key: () => "all", onLimited }))
    app.use((_request, response) => void response.end())
    const { url, close } = await listening(createServer(app))
    await fetch(url, { headers: { connection: "close" } })
    const { headers } = await new Promise<IncomingMessage>((resolve, reject) => {
      request(url, (response) => resolve(response.resume()))
        .on("error", reject)
        .end()
    })
    expect([headers["content-length"], headers["transfer-encoding"]]).toEqual(["2", undefined])
    await close()
  })

  test("makes Node warn of no leak, however many limits follow the answer", async () => {
    const warned = vi.fn()
    process.on("warning", warned)
    const app = express()
    for (let index = 0; index < 12; index++) {
      app.use(rateLimit({ policy: "9/minute", key: () => "all", skipFailedRequests: true }))
    }
    app.use((_request, response) => void response.end())
    const { url, close } = await listening(createServer(app))
    expect((await fetch(url, { headers: { connection: "close" } })).status).toBe(200)
    await close()
    process.off("warning", warned)
    expect(warned.mock.calls).toEqual([])
  })

  test("denies beside the cookies and Vary that middleware before set", async () => {
    const app = express()
    app.use((_request, response, next) => {
      response.append("Set-Cookie", "session=1").vary("Origin")
      next()
    })
    const onLimited = () => new Response("no", { status: 429, headers: { "set-cookie": "captcha=1", vary: "X-User" } })
    app.use(rateLimit({ policy: "1/minute", key: () => "all", onLimited }))
    app.use((_request, response) => void response.end())
    const { url, close } = await listening(createServer(app))
    await fetch(url, { headers: { connection: "close" } })
    const denied = await fetch(url, { headers: { connection: "close" } })
    expect([denied.status, denied.headers.get("vary")]).toEqual([429, "Origin, X-User"])
    expect(denied.headers.getSetCookie()).toEqual(["session=1", "captcha=1"])
    await close()
  })

  test("asks no handler where another middleware answers while the limiter is asked, and counts by that answer", async () => {
    const { counts, limiter, asked, answer, refunded } = slowLimiter("2/minute")
    const [handler, failed] = [vi.fn(), vi.fn()]
    const app = express()
    app.use((_request, response, next) => {
      response.once("finish", () => answer())
      void asked.then(() => response.status(503).send("too late"))
      next()
    })
    app.use(rateLimit({ policy: "2/minute", key: () => "all", limiter, skipFailedRequests: true }))
    app.use(handler)
    app.use((error: unknown, _request: unknown, _response: unknown, _next: unknown) => failed(error))
    const { url, close } = await listening(createServer(app))
    const response = await fetch(url, { headers: { connection: "close" } })
    expect([response.status, await response.text()]).toEqual([503, "too late"])
    await refunded
    expect(counts.status("all").remaining).toBe(2)
    expect([handler.mock.calls, failed.mock.calls]).toEqual([[], []])
    await close()
  })

  test("goes on to the handlers behind what was answered before", async () => {
    const handler = vi.fn((_request, _response, next) => next())
    const app = express()
    app.use((_request, response, next) => {
      response.status(202).end()
      next()
    })
    app.use(rateLimit({ policy: "1/minute", key: () => "all" }))
    app.use(handler)
    const { url, close } = await listening(createServer(app))
    const statuses: number[] = []
    for (let asked = 0; asked < 2; asked++) {
      statuses.push((await fetch(url, { headers: { connection: "close" } })).status)
    }
    expect(statuses).toEqual([202, 202])
    await vi.waitFor(() => expect(handler).toHaveBeenCalledOnce())
    await close()
  })

  test("hands on what next throws, as that of Polka does where a route throws", async () => {
    const heard: unknown[] = []
    const own = new Error("own")
    const server = createServer((message, response) => {
      const limit = rateLimit<import("node:http").IncomingMessage>({ policy: "9/minute" })
      limit(message, response, (error) => {
        if (error === undefined) throw own
        heard.push(error)
        response.writeHead(500).end()
      })
    })
    const { url, close } = await listening(server)
    expect((await fetch(url, { headers: { connection: "close" } })).status).toBe(500)
    expect(heard).toEqual([own])
    await close()
  })
})
