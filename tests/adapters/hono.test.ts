import { serve } from "@hono/node-server"
import { type Context, Hono } from "hono"
import { HTTPException } from "hono/http-exception"
import { describe, expect, test, vi } from "vitest"
import { rateLimit } from "../../src/adapters/hono.js"
import { answerTo, declareAdapterCases } from "./adapter-cases.js"
import { serving } from "./serving.js"

declareAdapterCases({
  name: "sluice/hono",
  hearsOfClients: true,
  start(options) {
    const app = new Hono()
    for (const each of options) app.use(rateLimit(each))
    app.all("*", async (context) => {
      const { status, body } = answerTo(context.req.path, await context.req.text())
      return context.body(body, status as 200)
    })
    app.onError((_error, context) => context.body(null, 500))
    return serving((listen) => serve({ fetch: app.fetch, hostname: "127.0.0.1", port: 0 }, listen))
  },
})

describe("rateLimit() of sluice/hono", () => {
  test("sees what middleware before put into the context, and counts by route", async () => {
    const app = new Hono<{ Variables: { tier: string } }>()
    app.use(async (context, next) => {
      context.set("tier", context.req.header("x-tier") ?? "free")
      await next()
    })
    app.use(
      "/api/*",
      rateLimit<{ Variables: { tier: string } }>({
        policy: (_request, context) => (context.get("tier") === "pro" ? "5/minute" : "1/minute"),
        key: () => "all",
      }),
    )
    app.get("/api/:id", (context) => context.text("hello"))
    app.get("/", (context) => context.text("free"))
    const statuses: number[] = []
    for (const tier of ["free", "free", "pro"]) {
      statuses.push((await app.request("/api/1", { headers: { "x-tier": tier } })).status)
    }
    statuses.push((await app.request("/")).status)
    expect(statuses).toEqual([200, 429, 200, 200])
  })

  test("writes the fields onto responses that cannot be changed, keeping what is there", async () => {
    const app = new Hono()
    app.use(rateLimit({ policy: "9/minute", key: () => "all" }))
    app.get("/", async (context) => {
      context.header("x-own", "yes")
      return fetch("data:text/plain,far")
    })
    const response = await app.request("/")
    expect(await response.text()).toBe("far")
    expect(response.headers.get("ratelimit-policy")).toBe('"default";q=9;w=60')
    expect(response.headers.get("ratelimit")).toMatch(/^"default";r=8;t=\d+$/)
  })

  test("tells a request that is skipped of no limit, where the handler's answer is always the same", async () => {
    const app = new Hono()
    const shared = new Response(null, { status: 204, headers: { "x-own": "yes" } })
    app.use(rateLimit({ policy: "9/minute", key: () => "all", skip: (request) => request.headers.has("x-internal") }))
    app.get("/", () => shared)
    expect((await app.request("/")).headers.has("ratelimit")).toBe(true)
    const skipped = await app.request("/", { headers: { "x-internal": "1" } })
    expect(Object.fromEntries(skipped.headers)).toEqual({ "x-own": "yes" })
  })

  test("denies beside what middleware before set on the answer to come, but for what it said of its body", async () => {
    const app = new Hono()
    app.use(async (context, next) => {
      context.header("x-prepared", "yes")
      context.header("etag", '"a"')
      context.header("transfer-encoding", "chunked")
      context.res.headers.append("set-cookie", "session=1")
      context.res.headers.append("vary", "Origin")
      context.res.headers.set("cache-control", "max-age=60")
      await next()
    })
    const onLimited = () => new Response("no", { status: 429, headers: { "set-cookie": "captcha=1", vary: "X-User" } })
    app.use(rateLimit({ policy: "1/minute", key: () => "all", onLimited }))
    app.get("/", (context) => context.text("hello"))
    await app.request("/")
    const denied = await app.request("/")
    expect([denied.status, await denied.text()]).toEqual([429, "no"])
    const fields = ["vary", "x-prepared", "etag", "transfer-encoding", "cache-control"].map((name) =>
      denied.headers.get(name),
    )
    expect(fields).toEqual(["Origin, X-User", "yes", null, null, "no-store"])
    expect(denied.headers.getSetCookie()).toEqual(["session=1", "captcha=1"])
  })

  test("denies with what middleware before set once, where onLimited answers by Hono's own context", async () => {
    const app = new Hono()
    app.use(async (context, next) => {
      context.header("set-cookie", "session=1", { append: true })
      context.header("vary", "Accept, Origin")
      await next()
    })
    const onLimited = (_request: Request, _decision: unknown, context: Context) => {
      context.header("set-cookie", "captcha=1", { append: true })
      context.header("vary", "X-User", { append: true })
      return context.json({ wait: true }, 429)
    }
    app.use(rateLimit({ policy: "1/minute", key: () => "all", onLimited }))
    app.get("/", (context) => context.text("hello"))
    await app.request("/")
    const denied = await app.request("/")
    expect([denied.status, await denied.json()]).toEqual([429, { wait: true }])
    expect(denied.headers.getSetCookie()).toEqual(["session=1", "captcha=1"])
    expect(denied.headers.get("vary")).toBe("Accept, Origin, X-User")
  })

  test("tells of the limit of a mounted application too, where both answer without a body", async () => {
    const [inner, outer] = [new Hono(), new Hono()]
    const onLimited = () => new Response(null, { status: 429 })
    inner.use(rateLimit({ policy: "1/hour as inner", key: () => "all", onLimited }))
    inner.get("/", (context) => context.body(null, 204))
    outer.use(rateLimit({ policy: "9/minute as outer", key: () => "all" }))
    outer.mount("/api", inner.fetch)
    for (const [status, wait] of [
      [204, null],
      [429, "3600"],
    ] as const) {
      const { status: answered, headers } = await outer.request("/api/")
      expect([answered, headers.get("retry-after")]).toEqual([status, wait])
      expect(headers.get("ratelimit")).toMatch(/^"inner";r=0;t=3600, "outer";r=\d;t=\d+$/)
    }
  })

  test("counts what HTTPException answers by its status", async () => {
    const statuses: number[] = []
    const penalty = ({ status }: { status: number }) => {
      statuses.push(status)
      return 0
    }
    const app = new Hono()
    app.use(rateLimit({ policy: "9/minute", key: () => "all", penalty }))
    app.get("/", () => {
      throw new HTTPException(401)
    })
    expect((await app.request("/")).status).toBe(401)
    expect(statuses).toEqual([401])
  })

  test("looks for waitUntil, which Hono throws at where there is none, only for work that outlives an answer", async () => {
    const look = vi.fn(() => {
      throw new Error("This context has no ExecutionContext")
    })
    const app = new Hono()
    app.use((context, next) => {
      Object.defineProperty(context, "executionCtx", { get: look })
      return next()
    })
    const options = { policy: "9/minute", key: () => "all" }
    app.get("/plain", rateLimit(options), (context) => context.text("hello"))
    app.get("/refunded", rateLimit({ ...options, skipSuccessfulRequests: true }), (context) => context.text("hello"))
    expect([(await app.request("/plain")).status, look.mock.calls.length]).toEqual([200, 0])
    expect([(await app.request("/refunded")).status, look.mock.calls.length]).toEqual([200, 1])
  })

  test("finds the address as Deno and Bun tell it, and gives refunds to waitUntil", async () => {
    const keys: string[] = []
    const app = new Hono()
    const limiter = () => ({
      check: async (key: string) => {
        keys.push(key)
        throw new Error("gone")
      },
      refund: () => {},
    })
    const onError = async () => {}
    app.use(rateLimit({ policy: "9/minute", limiter, onError }))
    app.get("/", (context) => context.text("hello"))
    const request = () => new Request("http://localhost/")
    const context = { waitUntil: vi.fn(), passThroughOnException: () => {}, props: {} }
    await app.fetch(request(), { remoteAddr: { hostname: "192.0.2.1" } }, context)
    await app.fetch(request(), { requestIP: () => ({ address: "192.0.2.2" }) })
    await app.fetch(request(), { server: { requestIP: () => ({ address: "192.0.2.3" }) } })
    expect(keys).toEqual(["ip:192.0.2.1", "ip:192.0.2.2", "ip:192.0.2.3"])
    expect(context.waitUntil).toHaveBeenCalledOnce()
  })
})
