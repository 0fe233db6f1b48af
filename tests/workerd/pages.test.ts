import { env } from "cloudflare:workers"
import { expect, test } from "vitest"
import { workerApi } from "../../worker/api/worker-api.js"
import { readSettings } from "../../worker/settings.js"

const asked: string[] = []
/** As the platform's: what is not there has no body. */
const ASSETS = {
  async fetch(request: Request) {
    asked.push(request.method)
    const { pathname } = new URL(request.url)
    return pathname === "/dashboard/" ? new Response("the page") : new Response(null, { status: 404 })
  },
} as never

test("workerApi() answers what is no page of the dashboard by a problem", async () => {
  const api = workerApi(
    { LIMITER: env.LIMITER, REGISTRY: env.REGISTRY, EVENT_HUB: env.EVENT_HUB, ASSETS },
    readSettings({ LIMITS: [{ name: "api", paths: ["/api"], policy: "5/day" }] }),
  )!
  const answer = (method: string, path: string) => {
    const request = new Request(`http://localhost${path}`, { method })
    return api.answer(request, new URL(request.url))
  }
  expect(await (await answer("GET", "/dashboard/"))!.text()).toBe("the page")
  const missing = (await answer("GET", "/dashboard/nothing.js"))!
  expect(missing.headers.get("content-type")).toBe("application/problem+json")
  expect(await missing.json()).toMatchObject({ status: 404, code: "NOT_FOUND", error: expect.any(String) })
  const head = (await answer("HEAD", "/dashboard/nothing.js"))!
  expect({ status: head.status, body: await head.text() }).toEqual({ status: 404, body: "" })
  expect(asked).toEqual(["GET", "GET", "HEAD"])
  const refused = (await answer("POST", "/dashboard/"))!
  expect({ status: refused.status, allow: refused.headers.get("allow") }).toEqual({ status: 405, allow: "GET, HEAD" })
  expect(await refused.json()).toMatchObject({ code: "METHOD_NOT_ALLOWED" })
  expect(asked).toHaveLength(3)
  expect(answer("GET", "/elsewhere")).toBeNull()
})
