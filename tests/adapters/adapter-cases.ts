import { request as nodeRequest } from "node:http"
import type { AddressInfo, Server } from "node:net"
import { afterEach, describe, expect, test, vi } from "vitest"
import type { RateLimitOptions } from "../../src/http/index.js"
import { RateLimiter } from "../../src/limiter/rate-limiter.js"
import { ManualClock } from "../../src/types/clock.js"
import type { Decision } from "../../src/types/decision.js"
import { deferred } from "../http/requests.js"
import { slowLimiter } from "./slow-limiter.js"

/** Some frameworks compile with their first answer. */
const SLOW_MS = 60_000

/** A second request is held for so long that only its client can end it. */
const HOUR_APART = { limit: 1, period: "1h", algorithm: "leaky_bucket", burst: 3 } as const

/** What the suite tells an adapter: nothing that knows of a framework. */
// biome-ignore lint/suspicious/noExplicitAny: every adapter hands on arguments of its own
export type SuiteOptions = RateLimitOptions<any>

/** A real server of the framework, limited by options. */
export interface RunningServer {
  readonly url: string
  close(): Promise<void>
}

/** A framework under test. */
export interface AdapterSubject {
  readonly name: string
  /**
   * Starts a server. It answers every path with `answerTo`, behind as many limits as there are options, in order. An
   * exception that `answerTo` throws goes to the framework.
   */
  start(options: readonly SuiteOptions[]): Promise<RunningServer>
  /** Whether the adapter hears of a client that goes before its answer. */
  readonly hearsOfClients?: true
  /** Methods at which the framework itself fails, before any middleware. */
  readonly failsAt?: readonly string[]
  /** Cases that cannot hold, each with the reason. */
  readonly skips?: Readonly<Record<string, string>>
}

/** The paths that handlers have seen. */
const answered: string[] = []

/** What the servers answer: `hello`, `/echo` the body, `/status/N` that status, `/throw` nothing. */
export function answerTo(path: string, body: string): { status: number; body: string } {
  answered.push(path)
  if (path === "/throw") throw new Error("the handler's own")
  if (path === "/echo") return { status: 200, body }
  const status = /^\/status\/(\d+)$/.exec(path)?.[1]
  return { status: Number(status ?? 200), body: "hello" }
}

/** Listens on a free port of this machine. */
export async function listening(server: Server): Promise<RunningServer> {
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve)
  })
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  }
}

/** Declares the cases that hold for every adapter. */
export function declareAdapterCases({ name, start, hearsOfClients, failsAt = [], skips = {} }: AdapterSubject): void {
  describe(`rateLimit() of ${name}`, () => {
    let running: RunningServer | undefined
    afterEach(async () => {
      await running?.close()
      running = undefined
    })

    const used = new Set<string>()
    function check(what: string, body: () => Promise<void>): void {
      const reason = skips[what]
      used.add(what)
      if (reason === undefined) test(what, body, SLOW_MS)
      else test.skip(`${what} (${reason})`, body)
    }

    async function serve(...options: SuiteOptions[]) {
      running = await start(options.map((each) => ({ clock: new ManualClock(0), ...each })))
      const { url } = running
      return (path = "/", init: RequestInit = {}) =>
        fetch(`${url}${path}`, { ...init, headers: { connection: "close", ...init.headers }, redirect: "manual" })
    }

    const key = (request: Request) => `user:${request.headers.get("x-user")}`
    const from = (user: string): RequestInit => ({ headers: { "x-user": user } })

    check("tells the limit of each answer, then denies with 429, Retry-After and problem details", async () => {
      const ask = await serve({ policy: "2/minute", key })
      for (const remaining of [1, 0]) {
        const response = await ask("/", from("ann"))
        expect(response.status).toBe(200)
        expect(await response.text()).toBe("hello")
        expect(response.headers.get("ratelimit-policy")).toBe('"default";q=2;w=60')
        expect(response.headers.get("ratelimit")).toBe(`"default";r=${remaining};t=${remaining === 1 ? 30 : 60}`)
        expect(response.headers.has("retry-after")).toBe(false)
      }
      const denied = await ask("/", from("ann"))
      expect(denied.status).toBe(429)
      expect(denied.headers.get("retry-after")).toBe("30")
      expect(denied.headers.get("cache-control")).toBe("no-store")
      expect(denied.headers.get("content-type")).toContain("application/problem+json")
      expect(denied.headers.get("ratelimit")).toBe('"default";r=0;t=30')
      expect(await denied.json()).toMatchObject({ status: 429, "violated-policies": ["default"] })
      expect((await ask("/", from("bob"))).status).toBe(200)
    })

    check("counts by the address of the connection by default", async () => {
      const decisions: Decision[] = []
      const ask = await serve({ policy: "1/minute", onDecision: (decision) => void decisions.push(decision) })
      expect((await ask()).status).toBe(200)
      expect((await ask("/", { headers: { "x-forwarded-for": "192.0.2.7" } })).status).toBe(429)
      expect(decisions.map((decision) => decision.key)).toEqual(["ip:127.0.0.1", "ip:127.0.0.1"])
    })

    check("admits exactly the limit of requests that come at once", async () => {
      const ask = await serve({ policy: "7/minute", key })
      const responses = await Promise.all(Array.from({ length: 40 }, () => ask("/", from("ann"))))
      const statuses = responses.map(({ status }) => status)
      expect(statuses.filter((status) => status === 200)).toHaveLength(7)
      expect(statuses.filter((status) => status === 429)).toHaveLength(33)
      await Promise.all(responses.map((response) => response.text()))
    })

    check("shows the options the request's method, path, query and headers", async () => {
      const seen: unknown[] = []
      const ask = await serve({
        policy: "9/minute",
        key: ({ method, url, headers }: Request) => {
          const { pathname, search } = new URL(url)
          seen.push([method, pathname, search, headers.get("x-user")])
          return "k"
        },
      })
      await ask("/status/200?page=2&page=3", { ...from("ann"), method: "PUT" })
      expect(seen).toEqual([["PUT", "/status/200", "?page=2&page=3", "ann"]])
    })

    check("leaves the body to the handler", async () => {
      const ask = await serve({ policy: "9/minute", key })
      const response = await ask("/echo", { method: "POST", body: "a body of its own", ...from("ann") })
      expect(await response.text()).toBe("a body of its own")
    })

    check("gives the charge of a failed request back", async () => {
      const ask = await serve({ policy: "1/minute", key, skipFailedRequests: true })
      for (const status of [500, 404, 400]) expect((await ask(`/status/${status}`, from("ann"))).status).toBe(status)
      expect((await ask("/throw", from("ann"))).status).toBe(500)
      expect((await ask("/", from("ann"))).status).toBe(200)
      expect((await ask("/", from("ann"))).status).toBe(429)
    })

    check("gives the charge of a successful request back", async () => {
      const ask = await serve({ policy: "1/minute", key, skipSuccessfulRequests: true })
      expect((await ask("/", from("ann"))).status).toBe(200)
      expect((await ask("/status/401", from("ann"))).status).toBe(401)
      expect((await ask("/", from("ann"))).status).toBe(429)
    })

    check("charges a penalty by the response's status", async () => {
      const penalty = vi.fn(({ status }: { status: number }) => (status === 401 ? 4 : 0))
      const ask = await serve({ policy: "10/minute", key, penalty })
      await ask("/status/401", from("ann"))
      await vi.waitFor(() => expect(penalty).toHaveBeenCalledOnce())
      expect((await ask("/", from("ann"))).headers.get("ratelimit")).toContain("r=4;")
    })

    check("answers a denial as onLimited says, cookies too", async () => {
      const onLimited = () => {
        const headers = new Headers([
          ["set-cookie", "a=1"],
          ["set-cookie", "b=2"],
          ["x-own", "yes"],
        ])
        return new Response("later", { status: 403, headers })
      }
      const ask = await serve({ policy: "1/minute", key, onLimited })
      await ask("/", from("ann"))
      const denied = await ask("/", from("ann"))
      expect([denied.status, await denied.text(), denied.headers.get("x-own")]).toEqual([403, "later", "yes"])
      expect(denied.headers.getSetCookie()).toEqual(["a=1", "b=2"])
      expect(denied.headers.get("retry-after")).toBe("60")
    })

    const namesIn = (response: Response) =>
      ["ratelimit", "ratelimit-policy"].map((name) => response.headers.get(name)!.match(/"\w+"/g)!.sort())
    const outerAndInner = ['"inner"', '"outer"']

    check("tells of a limit within a limit", async () => {
      const ask = await serve({ policy: "9/minute as outer", key }, { policy: "2/minute as inner", key })
      expect(namesIn(await ask("/", from("ann")))).toEqual([outerAndInner, outerAndInner])
    })

    for (const [binding, limits] of [
      ["outer", [2, 9]],
      ["inner", [9, 2]],
    ] as const) {
      check(`tells of the ${binding} of two limits where it binds most, in a style with room for one`, async () => {
        const [outer, inner] = limits.map((limit) => ({ policy: `${limit}/minute`, key, headers: "legacy" }) as const)
        const ask = await serve(outer!, inner!)
        const { headers } = await ask("/", from("ann"))
        expect(["limit", "remaining"].map((name) => headers.get(`x-ratelimit-${name}`))).toEqual(["2", "1"])
      })
    }

    check("tells of both where the inner one denies", async () => {
      const ask = await serve({ policy: "9/minute as outer", key }, { policy: "1/minute as inner", key })
      await ask("/", from("ann"))
      const denied = await ask("/", from("ann"))
      expect(denied.status).toBe(429)
      expect(namesIn(denied)).toEqual([outerAndInner, outerAndInner])
    })

    check("decides on several limits together, and tells of all", async () => {
      const limits = [
        { policy: "5/minute", key, name: "user" },
        { policy: "1/minute", key: () => "all", name: "all" },
      ]
      const ask = await serve({ limits })
      expect((await ask("/", from("ann"))).headers.get("ratelimit")).toBe('"user";r=4;t=12, "all";r=0;t=60')
      const denied = await ask("/", from("bob"))
      expect(denied.status).toBe(429)
      expect(denied.headers.get("ratelimit")).toBe('"user";r=5;t=1, "all";r=0;t=60')
    })

    check("refuses who is on the deny list, and does not limit who is allowed", async () => {
      const ask = await serve({
        policy: "1/minute",
        key,
        allow: { keys: ["user:good"] },
        deny: { keys: ["user:bad"] },
      })
      expect((await ask("/", from("bad"))).status).toBe(403)
      for (let asked = 0; asked < 3; asked++) expect((await ask("/", from("good"))).status).toBe(200)
    })

    check("holds a request where it is told to", async () => {
      // 50 ms apart: what is asserted is the order of two answers, not the time.
      const policy = { limit: 20, period: "1s", algorithm: "leaky_bucket", burst: 5 } as const
      const ask = await serve({ policy, key, delay: true })
      const answers = await Promise.all([ask("/", from("ann")), ask("/", from("ann")), ask("/", from("ann"))])
      expect(answers.map(({ status }) => status)).toEqual([200, 200, 200])
    })

    check("passes while the limiter fails, and says no numbers", async () => {
      const onError = vi.fn()
      const limiter = () => {
        throw new Error("gone")
      }
      const ask = await serve({ policy: "1/minute", key, limiter, onError })
      const response = await ask("/", from("ann"))
      expect(response.status).toBe(200)
      expect(response.headers.get("ratelimit-policy")).toBe('"default";q=1;w=60')
      expect(response.headers.has("ratelimit")).toBe(false)
      expect(onError).toHaveBeenCalledOnce()
    })

    check("limits whatever a client sends as path, host or method", async () => {
      const ask = await serve({ policy: "2/minute", key: () => "all" })
      await ask()
      await ask()
      for (const [method, path, host] of [
        ["GET", "//evil.example/a", "localhost"],
        ["GET", "/%zz", "localhost"],
        ["GET", "/", "a b"],
        ["GET", "/", "[::"],
        ["OPTIONS", "*", "localhost"],
        ["TRACE", "/", "localhost"],
        ["GET", "http://elsewhere.example/a?b", "localhost"],
      ] as const) {
        if (failsAt.includes(method)) continue
        // Some frameworks refuse or redirect some of them on their own, before any middleware.
        const status = await statusOf(running!.url, method, path, host)
        const outcome = status >= 300 && status < 500 ? "refused" : status
        expect([method, path, host, outcome]).toEqual([method, path, host, "refused"])
      }
    })

    if (hearsOfClients) {
      /** Asks, and goes once the server has done so much of its work. */
      async function goAfter(path: string, work: Promise<unknown>): Promise<void> {
        const request = nodeRequest(`${running!.url}${path}`).end()
        const gone = new Promise((resolve) => request.on("error", resolve))
        await work
        request.destroy(new Error("gone"))
        await gone
        await heard()
      }

      check("keeps the charge of a client that has gone before its answer, whatever is skipped", async () => {
        const cases = [
          ["skipFailedRequests", "/status/500"],
          ["skipFailedRequests", "/throw"],
          ["skipSuccessfulRequests", "/"],
        ] as const
        for (const [option, path] of cases) {
          const { counts, limiter, asked, answer } = slowLimiter("3/minute")
          await serve({ policy: "3/minute", key, [option]: true, timeoutMs: SLOW_MS, limiter })
          await goAfter(path, asked)
          answer()
          await heard()
          expect([option, path, counts.status("user:null").remaining]).toEqual([option, path, 2])
          await running!.close()
        }
        running = undefined
      })

      check("charges a penalty by what is answered to a client that has gone", async () => {
        for (const path of ["/status/401", "/throw"]) {
          const { counts, limiter, asked, answer } = slowLimiter("10/minute")
          // Handlers that read the request fail with its client.
          const penalty = vi.fn(({ status }: { status: number }) => (status >= 400 ? 4 : 0))
          await serve({ policy: "10/minute", key, penalty, timeoutMs: SLOW_MS, limiter })
          await goAfter(path, asked)
          answer()
          await heard()
          expect([path, penalty.mock.calls.length, counts.status("user:null").remaining]).toEqual([path, 1, 5])
          await running!.close()
        }
        running = undefined
      })

      check("drops a request whose client goes while it is held, and keeps its charge", async () => {
        const limiter = new RateLimiter(HOUR_APART, { clock: new ManualClock(0) })
        const [held, onError] = [deferred<void>(), vi.fn()]
        const onDecision = ({ delayMs }: Decision) => void (delayMs > 0 && held.resolve())
        const delay = { maxMs: 3_600_000 }
        const ask = await serve({ policy: HOUR_APART, key, delay, limiter: () => limiter, onDecision, onError })
        expect((await ask("/", { headers: { "x-user": "null" } })).status).toBe(200)
        answered.length = 0
        await goAfter("/held", held.promise)
        expect(answered).toEqual([])
        expect(limiter.status("user:null").remaining).toBe(1)
        expect(onError).not.toHaveBeenCalled()
      })
    }

    test("skips only cases that there are", () => {
      expect(Object.keys(skips).filter((what) => !used.has(what))).toEqual([])
    })
  })
}

/** Servers hear of a client that has gone by the same loop, some turns later. */
function heard(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 50))
}

/** Asks as `fetch` would refuse to. */
function statusOf(url: string, method: string, path: string, host: string): Promise<number> {
  const { hostname, port } = new URL(url)
  return new Promise((resolve, reject) => {
    const headers = { host, connection: "close" }
    const request = nodeRequest({ hostname, port, method, path, headers }, (response) => {
      response.resume()
      resolve(response.statusCode!)
    })
    request.on("error", reject)
    request.end()
  })
}
