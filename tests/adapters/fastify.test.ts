import fastify from "fastify"
import { describe, expect, test } from "vitest"
import { rateLimit, rateLimitHooks } from "../../src/adapters/fastify.js"
import { answerTo, declareAdapterCases } from "./adapter-cases.js"

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
