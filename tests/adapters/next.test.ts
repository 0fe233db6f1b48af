import { AsyncLocalStorage } from "node:async_hooks"
import { cpSync, mkdtempSync, rmSync } from "node:fs"
import { createServer, type Server } from "node:http"
import { join } from "node:path"
import type { NextRequest as Incoming, NextFetchEvent } from "next/server.js"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { rateLimit, rateLimitRoute } from "../../src/adapters/next.js"
import { ManualClock } from "../../src/types/clock.js"
import { answerTo, declareAdapterCases, type RunningServer } from "./adapter-cases.js"

// What Next's own start does before anything of it is loaded.
Object.assign(globalThis, { AsyncLocalStorage })
Object.assign(process.env, { NEXT_TELEMETRY_DISABLED: "1" })
const { default: next } = await import("next")
const { NextRequest, NextResponse } = await import("next/server.js")

type Answer = (request: Incoming, context: never) => Response | Promise<Response>

/** What Next's app, which runs in this process, finds. */
const found: { proxy: Answer; route: Answer } = {
  proxy: () => NextResponse.next(),
  route: async (request) => {
    const { status, body } = answerTo(request.nextUrl.pathname, await request.text())
    return new Response(body, { status })
  },
}
const plain = { ...found }

describe("in Next", () => {
  // Next writes beside the app that it serves, and is slow to start: one serves all cases.
  const dir = mkdtempSync(join(import.meta.dirname, "..", "..", "dist", ".next-"))
  let server: Server
  let url = ""

  beforeAll(async () => {
    cpSync(join(import.meta.dirname, "next-app"), dir, { recursive: true })
    Object.assign(globalThis, { sluiceNext: found })
    const app = (next as unknown as typeof next.default)({
      dev: true,
      dir,
      hostname: "127.0.0.1",
      port: 0,
      quiet: true,
    })
    await app.prepare()
    server = createServer(app.getRequestHandler())
    await new Promise<void>((resolve) => {
      server.listen(0, "127.0.0.1", resolve)
    })
    url = `http://127.0.0.1:${(server.address() as import("node:net").AddressInfo).port}`
    await fetch(url)
    return async () => {
      await new Promise((closed) => server.close(closed))
      await app.close()
    }
  }, 60_000)
  afterAll(() => rmSync(dir, { recursive: true, force: true }))

  const running = (): RunningServer => ({
    url,
    async close() {
      Object.assign(found, plain)
    },
  })
  const joined = "how proxies are joined is the application's"
  const noConnection = "Next tells a proxy of no connection"

  declareAdapterCases({
    name: "sluice/next, a proxy",
    failsAt: ["OPTIONS", "TRACE"],
    async start(options) {
      const limits = options.map((each) => rateLimit(each))
      found.proxy = async (request, event) => {
        const fields = new Headers()
        for (const limit of limits) {
          const response = await limit(request, event)
          if (!response.headers.has("x-middleware-next")) return response
          for (const [name, value] of response.headers) fields.append(name, value)
        }
        return NextResponse.next({ headers: fields })
      }
      return running()
    },
    skips: {
      "counts by the address of the connection by default": noConnection,
      "gives the charge of a failed request back": "a proxy does not see the page's response",
      "gives the charge of a successful request back": "a proxy does not see the page's response",
      "charges a penalty by the response's status": "a proxy does not see the page's response",
      "tells of the outer of two limits where it binds most, in a style with room for one": joined,
      "tells of the inner of two limits where it binds most, in a style with room for one": joined,
      "tells of both where the inner one denies": joined,
    },
  })

  declareAdapterCases({
    name: "sluice/next, a Route Handler",
    failsAt: ["OPTIONS", "TRACE"],
    async start(options) {
      found.route = options.reduceRight<Answer>((handler, each) => rateLimitRoute(handler, each), plain.route)
      return running()
    },
    skips: { "counts by the address of the connection by default": noConnection },
  })

  test("limits a Route Handler on the Edge runtime, by the package as it was built", async () => {
    const ask = () => fetch(`${url}/edge`, { headers: { connection: "close" } })
    const responses = [await ask(), await ask(), await ask()]
    expect(responses.map(({ status }) => status)).toEqual([200, 200, 429])
    expect(await responses[0]!.text(), "the runtime").toBe("string")
  }, 60_000)

  test.each([
    [undefined, '"proxy";r=2;t=20'],
    [false, '"route";r=1;t=30'],
  ] as const)("lets the fields of a proxy stand for a route's, unless its headers are %s", async (headers, told) => {
    const options = { key: () => "all", clock: new ManualClock(0) }
    found.proxy = rateLimit({
      policy: "3/minute as proxy",
      ...options,
      ...(headers === false && { headers }),
    }) as Answer
    found.route = rateLimitRoute(plain.route, { policy: "2/minute as route", ...options })
    const response = await fetch(url, { headers: { connection: "close" } })
    Object.assign(found, plain)
    expect(response.status).toBe(200)
    expect(response.headers.get("ratelimit")).toBe(told)
  })
})

describe("rateLimit() of sluice/next", () => {
  const event = {} as NextFetchEvent
  const request = () => new NextRequest("http://localhost/api/a", { headers: { "x-real-ip": "192.0.2.1" } })
  const address = { header: "X-Real-IP" }

  test("lets pass as NextResponse.next() does, and counts by the address to believe", async () => {
    const proxy = rateLimit({ policy: "1/minute", address })
    const passed = await proxy(request(), event)
    const fields = { ratelimit: '"default";r=0', "ratelimit-policy": '"default";q=1;w=60' }
    expect([passed.status, passed.headers.get("x-middleware-next")]).toEqual([
      NextResponse.next().status,
      NextResponse.next().headers.get("x-middleware-next"),
    ])
    expect(passed.headers.get("ratelimit-policy")).toBe(fields["ratelimit-policy"])
    expect(passed.headers.get("ratelimit")).toContain(fields.ratelimit)
    expect((await proxy(request(), event)).status).toBe(429)
  })

  test("runs a proxy of one's own behind the limit, which may answer, or nothing", async () => {
    const answers = [NextResponse.redirect("http://localhost/login"), undefined]
    const proxy = rateLimit({ policy: "9/minute", address }, (own) => {
      expect(own.nextUrl.pathname).toBe("/api/a")
      return answers.shift()
    })
    const redirected = await proxy(request(), event)
    expect([redirected.status, redirected.headers.get("location")]).toEqual([307, "http://localhost/login"])
    expect(redirected.headers.has("ratelimit")).toBe(true)
    expect((await proxy(request(), event)).headers.get("x-middleware-next")).toBe("1")
  })

  test("refuses to count all clients as one", () => {
    expect(() => rateLimit({ policy: "1/minute" })).toThrow("neither key nor address")
    expect(() => rateLimit({ limits: [{ policy: "1/minute" }] })).toThrow("neither key nor address")
    expect(() => rateLimitRoute(() => new Response(), { policy: "1/minute" })).toThrow(RangeError)
    expect(() => rateLimit({ limits: [{ policy: "1/minute", key: () => "all" }] })).not.toThrow()
  })

  test.each([{ skipFailedRequests: true }, { skipSuccessfulRequests: true }, { penalty: () => 1 }])(
    "refuses what follows from a response that it never sees: %o",
    (option) => {
      const text = `${Object.keys(option)[0]} is given, allowed is that only with rateLimitRoute.`
      const options: Parameters<typeof rateLimit>[0] = { policy: "1/minute", address, ...option }
      expect(() => rateLimit(options)).toThrow(new RangeError(`Cannot rate limit: ${text}`))
      expect(() => rateLimitRoute(() => new Response(), options)).not.toThrow()
    },
  )

  test.each([{ skipFailedRequests: false }, { skipSuccessfulRequests: false }, { penalty: undefined }])(
    "takes what follows from a response where it is switched off: %o",
    (option) => {
      const options: Parameters<typeof rateLimit>[0] = { policy: "1/minute", address, ...option }
      expect(() => rateLimit(options)).not.toThrow()
    },
  )
})
