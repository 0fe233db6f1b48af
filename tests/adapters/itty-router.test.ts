import { serve } from "@hono/node-server"
import { type IRequest, json, Router, withParams } from "itty-router"
import { describe, expect, test } from "vitest"
import { rateLimit } from "../../src/adapters/itty-router.js"
import { settled } from "../http/requests.js"
import { answerTo, declareAdapterCases } from "./adapter-cases.js"
import { serving } from "./serving.js"

declareAdapterCases({
  name: "sluice/itty-router",
  start(options) {
    const limits = options.map((each) => rateLimit(each))
    const router = Router({
      before: limits.map((limit) => limit.before),
      catch: () => new Response(null, { status: 500 }),
      finally: limits.map((limit) => limit.finally).reverse(),
    })
    router.all("*", async (request) => {
      const { status, body } = answerTo(new URL(request.url).pathname, await request.text())
      return new Response(body, { status })
    })
    return serving((listen) => serve({ fetch: router.fetch, hostname: "127.0.0.1", port: 0 }, listen))
  },
})

describe("rateLimit() of sluice/itty-router", () => {
  test("limits a route, also behind withParams, which puts a proxy in the request's place", async () => {
    const limit = rateLimit<[{ tier: string }]>({
      policy: (_request, env) => (env.tier === "pro" ? "5/minute" : "1/minute"),
      key: (request) => `id:${(request as Request & { params: { id: string } }).params.id}`,
    })
    const router = Router<IRequest, [{ tier: string }]>({ finally: [json, limit.finally] })
    router.get("/users/:id", withParams, limit.before, ({ id }) => ({ id }))
    router.get("/", () => "free")
    const ask = async (path: string, tier = "free") => {
      const response = await router.fetch(new Request(`http://localhost${path}`), { tier })
      return [response.status, response.headers.get("ratelimit")]
    }
    expect(await ask("/users/1")).toEqual([200, '"default";r=0;t=60'])
    expect((await ask("/users/1"))[0]).toBe(429)
    expect((await ask("/users/2"))[0]).toBe(200)
    expect((await ask("/users/1", "pro"))[0]).toBe(200)
    expect(await ask("/")).toEqual([200, null])
  })

  test("settles once, and writes the fields once, where a router and one within both end with it", async () => {
    const statuses: number[] = []
    const penalty = ({ status }: { status: number }) => {
      statuses.push(status)
      return 1
    }
    const limit = rateLimit({ policy: "9/minute", key: () => "all", penalty })
    const inner = Router({ base: "/api", before: [limit.before], finally: [limit.finally] })
    inner.get("/", () => new Response("hello", { status: 401 }))
    const router = Router({ finally: [limit.finally] })
    router.all("/api/*", inner.fetch)
    const response = await router.fetch(new Request("http://localhost/api/"))
    expect(response.headers.get("ratelimit")).toBe('"default";r=8;t=7')
    await settled()
    expect(statuses).toEqual([401])
    expect((await router.fetch(new Request("http://localhost/api/"))).headers.get("ratelimit")).toBe(
      '"default";r=6;t=20',
    )
  })

  test("gives the charge back where no route answers", async () => {
    const limit = rateLimit({ policy: "1/minute", key: () => "all", skipFailedRequests: true })
    const router = Router({ before: [limit.before], finally: [limit.finally] })
    router.get("/", () => new Response("hello"))
    expect(await router.fetch(new Request("http://localhost/none"))).toBeUndefined()
    expect((await router.fetch(new Request("http://localhost/"))).status).toBe(200)
    expect((await router.fetch(new Request("http://localhost/"))).status).toBe(429)
  })
})
