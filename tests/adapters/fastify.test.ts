import { connect } from "node:http2"
import fastify, { type FastifyInstance } from "fastify"
import { describe, expect, test, vi } from "vitest"
import { rateLimit, rateLimitHooks } from "../../src/adapters/fastify.js"
import { answerTo, declareAdapterCases } from "./adapter-cases.js"
import { slowLimiter } from "./slow-limiter.js"

declareAdapterCases({
  name: "sluice/fastify",
  hearsOfClients: true,
  async start(options) {
    const app = fastify()
    app.addContentTypeParser("*", { parseAs: "string" }, (_request, body, done) => done(null, body))
    for (const each of options) await app.register(rateLimit(each))
    app.all("/*", async (request, reply) => {
      const { status, body } = answerTo(request.url.split("?")[0]!, String(request.body ?? ""))
      return reply.code(status).send(body)
    })
    const url = await app.listen({ port: 0, host: "127.0.0.1" })
    return { url, close: () => app.close() }
  },
})

type Head = Record<string, unknown>

async function askHttp1(url: string, method: string, path: string): Promise<Head> {
  const { status, headers } = await fetch(url + path, { method })
  return telling({ ...Object.fromEntries(headers), status })
}

async function askHttp2(url: string, method: string, path: string): Promise<Head> {
  const session = connect(url)
  const stream = session.request({ ":method": method, ":path": path })
  const head = await new Promise<Head>((resolve, reject) => {
    stream.once("response", ({ ":status": status, ...headers }) => resolve(telling({ ...headers, status })))
    stream.once("error", reject)
  })
  await new Promise<void>((closed) => stream.resume().once("close", closed))
  session.close()
  return head
}

/**
 * What of a head is about the answer. How it is sent differs: `fetch` asks to close after a HEAD, which may tell a
 * length.
 */
function telling(head: Head): Head {
  const ofTransport = ["date", "connection", "keep-alive", "transfer-encoding", "content-length"]
  return Object.fromEntries(Object.entries(head).filter(([name]) => !ofTransport.includes(name)))
}

describe("rateLimit() of sluice/fastify", () => {
  test("limits the instance that registers it and those within, and no other", async () => {
    const app = fastify()
    app.register(async (limited) => {
      await limited.register(rateLimit({ policy: "1/minute", key: () => "all" }))
      limited.get("/limited", async () => "a")
      limited.register(async (inner) => void inner.get("/inner", async () => "b"))
    })
    app.get("/free", async () => "c")
    const statuses: number[] = []
    for (const url of ["/limited", "/inner", "/free"]) statuses.push((await app.inject(url)).statusCode)
    expect(statuses).toEqual([200, 429, 200])
    await app.close()
  })

  test("limits one route by its hooks", async () => {
    const app = fastify()
    app.get("/login", rateLimitHooks({ policy: "1/minute", key: () => "all" }), async () => "welcome")
    app.get("/", async () => "hello")
    const statuses: number[] = []
    for (const url of ["/login", "/login", "/"]) statuses.push((await app.inject(url)).statusCode)
    expect(statuses).toEqual([200, 429, 200])
    await app.close()
  })

  test("limits a route of a server of HTTP/2, by the types too", async () => {
    const app = fastify({ http2: true })
    const { onRequest } = rateLimitHooks({ policy: "1/minute", key: () => "all" })
    app.get("/login", { onRequest }, async () => "welcome")
    app.post<{ Body: string }>("/", { preHandler: [onRequest] }, async ({ body }) => body)
    const url = await app.listen({ port: 0, host: "127.0.0.1" })
    expect(await askHttp2(url, "GET", "/login")).toMatchObject({ status: 200 })
    expect(await askHttp2(url, "POST", "/")).toMatchObject({ status: 429 })
    await app.close()
  })

  test("as a preHandler of a route goes by its body", async () => {
    const app = fastify()
    const { onRequest } = rateLimitHooks({
      policy: "9/minute",
      key: (_request, { body }) => (body as { user: string }).user,
      cost: (_request, { body }) => (body as { tokens: number }).tokens,
    })
    app.post("/", { preHandler: onRequest }, async ({ body }) => body)
    const told: unknown[] = []
    for (const user of ["ada", "ada", "bob"]) {
      const { statusCode, headers } = await app.inject({ method: "POST", url: "/", payload: { user, tokens: 6 } })
      told.push([statusCode, headers["ratelimit"]])
    }
    expect(told).toEqual([
      [200, '"default";r=3;t=40'],
      [429, '"default";r=3;t=20'],
      [200, '"default";r=3;t=40'],
    ])
    await app.close()
  })

  test.each([
    ["HTTP/1.1", false],
    ["HTTP/2", true],
  ])("denies HEAD over %s as it denies GET, whoever makes the answer", async (_name, http2) => {
    const custom = { status: 420, body: "wait" }
    const options: Parameters<typeof rateLimit>[0][] = [
      { policy: "1/minute" },
      { policy: "1/minute", onLimited: () => new Response(custom.body, custom) },
      { policy: "1/minute", onLimited: () => new Response(null, custom) },
      { policy: "1/minute", deny: { keys: ["all"] } },
    ]
    for (const each of options) {
      const app = (http2 ? fastify({ http2 }) : fastify()) as unknown as FastifyInstance
      await app.register(rateLimit({ ...each, key: () => "all" }))
      app.get("/automatic", async () => "hello")
      app.head("/own", async () => "")
      const url = await app.listen({ port: 0, host: "127.0.0.1" })
      const ask = http2 ? askHttp2 : askHttp1
      await ask(url, "GET", "/automatic")
      const denied = await ask(url, "GET", "/automatic")
      expect(denied["status"]).toBeOneOf([403, 420, 429])
      for (const path of ["/automatic", "/own"]) expect(await ask(url, "HEAD", path)).toEqual(denied)
      await app.close()
    }
  })

  test("denies without what hooks before said of the body of its answer", async () => {
    const app = fastify()
    app.addHook("onRequest", async (_request, reply) => {
      reply.headers({ "content-encoding": "gzip", etag: '"a"', "x-own": "kept" })
      reply.header("content-length", 3)
    })
    await app.register(rateLimit({ policy: "1/minute", key: () => "all" }))
    app.get("/", async () => "abc")
    const url = await app.listen({ port: 0, host: "127.0.0.1" })
    await app.inject({ method: "HEAD", url: "/" })
    const denied = await fetch(url)
    expect(await denied.json()).toMatchObject({ status: 429 })
    const fields = ["content-encoding", "etag", "x-own"].map((name) => denied.headers.get(name))
    expect(fields).toEqual([null, null, "kept"])
    await app.close()
  })

  test("denies beside the cookies and Vary that hooks before set", async () => {
    const app = fastify()
    app.addHook(
      "onRequest",
      async (_request, reply) => void reply.headers({ "set-cookie": "session=1", vary: "Origin" }),
    )
    const onLimited = () => new Response("no", { status: 429, headers: { "set-cookie": "captcha=1", vary: "X-User" } })
    await app.register(rateLimit({ policy: "1/minute", key: () => "all", onLimited }))
    app.get("/", async () => "hello")
    const url = await app.listen({ port: 0, host: "127.0.0.1" })
    await fetch(url, { headers: { connection: "close" } })
    const denied = await fetch(url, { headers: { connection: "close" } })
    expect([denied.status, denied.headers.get("vary")]).toEqual([429, "Origin, X-User"])
    expect(denied.headers.getSetCookie()).toEqual(["session=1", "captcha=1"])
    await app.close()
  })

  test.each([
    ["adds to", ["session=1", "captcha=1"], { "set-cookie": "captcha=1" }],
    ["keeps", ["session=1"], {}],
  ])("%s the cookies that were set past Fastify", async (_what, cookies, headers) => {
    const app = fastify()
    app.addHook("onRequest", async (_request, reply) => void reply.raw.setHeader("set-cookie", ["session=1"]))
    const onLimited = () => new Response("no", { status: 429, headers })
    await app.register(rateLimit({ policy: "1/minute", key: () => "all", onLimited }))
    app.get("/", async () => "hello")
    await app.inject("/")
    expect((await app.inject("/")).headers["set-cookie"]).toEqual(cookies)
    await app.close()
  })

  test("counts by what another hook answers while the limiter is asked", async () => {
    const { counts, limiter, asked, answer, refunded } = slowLimiter("2/minute")
    const handler = vi.fn()
    const app = fastify()
    app.addHook("onRequest", (_request, reply, next) => {
      reply.raw.once("finish", () => answer())
      void asked.then(() => reply.code(503).send("too late"))
      next()
    })
    const key = () => "all"
    await app.register(rateLimit({ policy: "2/minute", key, limiter, skipFailedRequests: true }))
    app.get("/", handler)
    const url = await app.listen({ port: 0, host: "127.0.0.1" })
    const response = await fetch(url)
    expect([response.status, await response.text()]).toEqual([503, "too late"])
    await refunded
    expect(counts.status("all").remaining).toBe(2)
    expect(handler).not.toHaveBeenCalled()
    await app.close()
  })

  test("heeds trustProxy", async () => {
    const keys: string[] = []
    const app = fastify({ trustProxy: true })
    await app.register(rateLimit({ policy: "9/minute", onDecision: ({ key }) => void keys.push(key) }))
    app.get("/", async () => "hello")
    await app.inject({ url: "/", headers: { "x-forwarded-for": "192.0.2.7" } })
    expect(keys).toEqual(["ip:192.0.2.7"])
    await app.close()
  })
})
