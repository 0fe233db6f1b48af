import { describe, expect, test, vi } from "vitest"
import { header, namedLimiters, type RateLimitOptions, rateLimit, retryAfterSeconds } from "../../src/http/index.js"
import { MemoryLimits } from "../../src/limiter/memory-limits.js"
import { oneLimit } from "../../src/limiter/one-limit.js"
import { ManualClock } from "../../src/types/clock.js"
import type { Decision } from "../../src/types/decision.js"
import { CostError } from "../../src/types/errors.js"
import { decisionOf, denialOf, FakeLimiter, RECEIPT } from "./fake-limiter.js"
import { deferred, ok, requestOf } from "./requests.js"

describe("rateLimit() with options for its answers", () => {
  const policy = "10/minute"
  const limiter = () => new FakeLimiter(() => denialOf())

  test("skips: no check, no fields", async () => {
    const fake = new FakeLimiter(() => denialOf())
    const skip = async (request: Request) => request.headers.has("x-internal")
    const limited = rateLimit(ok, { policy, skip, limiter: () => fake })
    const skipped = await limited(requestOf({ "x-internal": "1" }))
    expect(skipped.status).toBe(200)
    expect(skipped.headers.has("ratelimit-policy")).toBe(false)
    expect(fake.checks).toEqual([])
    expect((await limited(requestOf())).status).toBe(429)
  })

  test("tells who is not limited of no limit, where the handler's answer is always the same", async () => {
    const shared = new Response(null, { status: 204, headers: { "x-own": "1" } })
    const fields: RateLimitOptions<[]> = { headers: ["draft-11", "legacy"], partitionSecret: "sixteen bytes at least" }
    const limited = rateLimit(() => shared, {
      ...{ policy, ...fields, key: header("X-User") },
      skip: (request) => request.headers.has("x-internal"),
      allow: { keys: ["header:x-user=vip"] },
    })
    expect((await limited(requestOf({ "X-User": "ann" }))).headers.has("ratelimit")).toBe(true)
    for (const who of [{ "x-internal": "1" }, { "X-User": "vip" }]) {
      const { status, headers } = await limited(requestOf(who as Record<string, string>))
      expect([status, Object.fromEntries(headers)]).toEqual([204, { "x-own": "1" }])
    }
  })

  test("tells each client of its own limit, where several limits have one answer", async () => {
    const clock = new ManualClock(0)
    const shared = new Response(null, { status: 204 })
    const [read, write] = ["9/minute as read", "5/minute as write"].map((each) =>
      rateLimit(() => shared, { policy: each, key: header("X-User"), clock }),
    )
    const site = rateLimit(write!, { policy: "3/minute as site", key: header("X-User"), clock })
    const fieldsOf = async (limited: typeof site, user: string) =>
      (await limited(requestOf({ "X-User": user }))).headers.get("ratelimit")
    expect(await fieldsOf(read!, "ann")).toBe('"read";r=8;t=7')
    for (const user of ["bob", "cleo"]) {
      expect(await fieldsOf(site, user)).toBe('"write";r=4;t=12, "site";r=2;t=20')
      expect(await fieldsOf(write!, `${user} again`)).toBe('"write";r=4;t=12')
    }
  })

  test("tells each client its own wait, where several limits have one answer to a denial", async () => {
    const shared = new Response(null, { status: 429 })
    for (const [each, retryAfter] of [
      ["1/minute", "60"],
      ["1/hour", "3600"],
      ["1/second", "1"],
    ] as const) {
      const limited = rateLimit(ok, { policy: each, onLimited: () => shared, clock: new ManualClock(0) })
      await limited(requestOf())
      expect((await limited(requestOf())).headers.get("retry-after")).toBe(retryAfter)
    }
  })

  test.each(["false", "true", "", 1, -1, 0, null, {}, Symbol("own")])(
    "limits where skip gives neither true nor false, and says so: %j",
    async (answer) => {
      const onError = vi.fn()
      const skip = async () => answer as never
      expect((await rateLimit(ok, { policy, skip, limiter, onError })(requestOf())).status).toBe(429)
      expect(onError.mock.calls.map(([error]) => String(error))).toEqual([
        expect.stringContaining("the answer of skip is "),
      ])
    },
  )

  test("limits where skip gives nothing, and says nothing of it", async () => {
    const onError = vi.fn()
    const skip = () => undefined as never
    expect((await rateLimit(ok, { policy, skip, limiter, onError })(requestOf())).status).toBe(429)
    expect(onError).not.toHaveBeenCalled()
  })

  test("limits where skip throws", async () => {
    const onError = vi.fn()
    const skip = () => {
      throw new Error("skip")
    }
    const limited = rateLimit(ok, { policy, skip, limiter, onError })
    expect((await limited(requestOf())).status).toBe(429)
    expect(onError).toHaveBeenCalledOnce()
  })

  test("uses the status", async () => {
    const response = await rateLimit(ok, { policy, limiter, status: 403 })(requestOf())
    expect(response.status).toBe(403)
    expect(await response.json()).toMatchObject({ status: 403 })
  })

  test("gives the own response its fields, and leaves what it says itself", async () => {
    const onLimited = (_request: Request, { retryAfterMs }: Decision) =>
      new Response(`wait ${retryAfterMs}`, { status: 418, headers: { "Retry-After": "99" } })
    const response = await rateLimit(ok, { policy, limiter, onLimited })(requestOf())
    expect(response.status).toBe(418)
    expect(await response.text()).toBe("wait 4001")
    expect(response.headers.get("retry-after")).toBe("99")
    expect(response.headers.get("cache-control")).toBe("no-store")
    expect(response.headers.get("ratelimit")).toBe('"default";r=0;t=5')
  })

  test("tells each client its own wait, where the own response is always the same", async () => {
    const waits = [4_001, 9_000]
    const shared = new Response(null, { status: 429 })
    const limited = rateLimit(ok, {
      policy,
      limiter: () => new FakeLimiter(() => denialOf({ retryAfterMs: waits.shift()! })),
      onLimited: () => shared,
    })
    expect((await limited(requestOf())).headers.get("retry-after")).toBe("5")
    const second = await limited(requestOf())
    expect(second.headers.get("retry-after")).toBe("9")
    expect(second.headers.get("ratelimit")).toBe('"default";r=0;t=9')
  })

  test("denies without jitter where its random source throws", async () => {
    const onError = vi.fn()
    const own = new Error("own")
    const random = () => {
      throw own
    }
    const response = await rateLimit(ok, { policy, limiter, jitter: { maxSeconds: 9, random }, onError })(requestOf())
    expect([response.status, response.headers.get("retry-after")]).toEqual([429, "5"])
    expect(onError.mock.calls.map(([error]) => error)).toEqual([own])
  })

  test("falls back to problem details where the own response throws", async () => {
    const onError = vi.fn()
    const onLimited = async () => {
      throw new Error("own")
    }
    const response = await rateLimit(ok, { policy, limiter, onLimited, onError })(requestOf())
    expect(response.status).toBe(429)
    expect(response.headers.get("content-type")).toBe("application/problem+json")
    expect(onError).toHaveBeenCalledOnce()
  })

  test.each([undefined, null, "no", 429, {}, { status: 429, headers: new Headers() }])(
    "refuses with problem details where onLimited gives %j",
    async (answer) => {
      const onError = vi.fn()
      const handler = vi.fn(ok)
      const onLimited = async () => answer as Response
      const response = await rateLimit(handler, { policy, limiter, onLimited, onError })(requestOf())
      expect(response.status).toBe(429)
      expect(response.headers.get("content-type")).toBe("application/problem+json")
      expect(response.headers.get("retry-after")).toBe("5")
      expect(handler).not.toHaveBeenCalled()
      expect(onError.mock.calls.map(([error]) => String(error))).toEqual([expect.stringContaining("onLimited gave")])
    },
  )

  test.each([
    ["given twice", async () => {}],
    ["read before", async (answer: Response) => void (await answer.text())],
  ])("falls back to problem details where the body of the own response was %s", async (_what, prepare) => {
    const onError = vi.fn()
    const shared = new Response("wait", { status: 420 })
    await prepare(shared)
    const limited = rateLimit(ok, { policy, limiter, onLimited: () => shared, onError })
    const answers = [await limited(requestOf()), await limited(requestOf())]
    const own = shared.bodyUsed ? 429 : 420
    expect(answers.map(({ status }) => status)).toEqual([own, 429])
    expect(answers[1]!.headers.get("content-type")).toBe("application/problem+json")
    expect(String(onError.mock.lastCall![0])).toContain("a Response whose body was given before")
  })

  test("lengthens Retry-After by the jitter, and nothing else", async () => {
    const jitter = { maxSeconds: 9, random: () => 0.999 }
    const response = await rateLimit(ok, { policy, limiter, jitter })(requestOf())
    expect(response.headers.get("retry-after")).toBe(String(retryAfterSeconds(4_001) + 9))
    expect(response.headers.get("ratelimit")).toBe('"default";r=0;t=5')
    expect(await response.json()).toMatchObject({ retry_after_ms: 4_001 })
  })

  test("writes the styles asked for", async () => {
    const options: RateLimitOptions<[]> = {
      policy,
      headers: ["legacy", "draft-7"],
      legacyReset: "delta",
      limiter: () => new FakeLimiter(() => decisionOf()),
    }
    const { headers } = await rateLimit(ok, options)(requestOf())
    expect(headers.get("x-ratelimit-reset")).toBe("6")
    expect(headers.get("ratelimit")).toBe("limit=10, remaining=9, reset=6")
    const none = await rateLimit(ok, { policy, limiter, headers: false })(requestOf())
    expect([...none.headers.keys()].sort()).toEqual(["cache-control", "content-type", "retry-after"])
  })

  test("shows the key only as a keyed hash, the same for the same key", async () => {
    const limited = rateLimit(ok, { policy, partitionSecret: "a secret of 23 bytes...", key: header("x-user") })
    const pkOf = async (user: string) => {
      const field = (await limited(requestOf({ "x-user": user }))).headers.get("ratelimit-policy")
      return /;pk=(:[\w+/=]{44}:)$/.exec(field ?? "")?.[1]
    }
    const first = await pkOf("alice")
    expect(first).toBeDefined()
    expect(await pkOf("alice")).toBe(first)
    expect(await pkOf("bob")).not.toBe(first)
  })

  test("goes on without fields where a limiter's answer cannot be written", async () => {
    const onError = vi.fn()
    const odd = () => new FakeLimiter(() => decisionOf({ policy: "é" }))
    const response = await rateLimit(ok, { policy, limiter: odd, onError })(requestOf())
    expect(response.status).toBe(200)
    expect(response.headers.has("ratelimit")).toBe(false)
    expect(onError).toHaveBeenCalledOnce()
  })
})

describe("rateLimit() with a cost", () => {
  test("charges it", async () => {
    const limited = rateLimit(ok, {
      policy: "10/minute",
      cost: async (request) => Number(request.headers.get("x-cost")),
      clock: new ManualClock(0),
    })
    expect((await limited(requestOf({ "x-cost": "7" }))).headers.get("ratelimit")).toBe('"default";r=3;t=42')
    expect((await limited(requestOf({ "x-cost": "0" }))).headers.get("ratelimit")).toBe('"default";r=3;t=42')
    expect((await limited(requestOf({ "x-cost": "4" }))).status).toBe(429)
    expect((await limited(requestOf({ "x-cost": "3" }))).status).toBe(200)
  })

  test("answers 400 to a cost that is no number, and tells onError", async () => {
    for (const cost of [Symbol("own"), 5n, "11", Object.create(null), undefined]) {
      const onError = vi.fn()
      const limited = rateLimit(ok, { policy: "10/minute", cost: () => cost as never, onError })
      const response = await limited(requestOf())
      expect(response.status).toBe(400)
      expect(await response.json()).toMatchObject({ code: "COST_INVALID", maximum: 10 })
      expect(onError).toHaveBeenCalledOnce()
    }
  })

  test("answers 400 with the maximum to what no policy admits, and asks no limiter", async () => {
    const limiter = new FakeLimiter(() => decisionOf())
    const onError = vi.fn()
    for (const cost of [2 ** 40, Number.POSITIVE_INFINITY, Number.NaN, -1, 0.5]) {
      const limited = rateLimit(ok, {
        policy: "10/second; 1000/hour",
        cost: () => cost,
        limiter: () => limiter,
        onError,
      })
      const response = await limited(requestOf())
      expect(response.status).toBe(400)
      expect(await response.json()).toMatchObject({ status: 400, maximum: 10 })
    }
    expect(limiter.checks).toEqual([])
    const errors = onError.mock.calls.map(([error]) => (error as Error).constructor)
    expect(errors).toEqual([CostError, CostError, RangeError, RangeError, RangeError])
  })

  test.each(["open", "closed", "local"] as const)(
    "answers 400 with the maximum to a cost that can never pass, with failMode %s and a limiter that fails or not",
    async (failMode) => {
      const failing = () => new FakeLimiter(() => Promise.reject(new Error("gone")))
      for (const limiter of [{}, { limiter: failing }]) {
        const onError = vi.fn()
        const limited = rateLimit(ok, { policy: "10/second; 1000/hour", cost: () => 11, failMode, onError, ...limiter })
        const response = await limited(requestOf())
        expect(response.status).toBe(400)
        expect(response.headers.get("content-type")).toBe("application/problem+json")
        expect(response.headers.get("cache-control")).toBe("no-store")
        expect(response.headers.has("retry-after")).toBe(false)
        expect(await response.json()).toMatchObject({ code: "COST_ABOVE_CAPACITY", cost: 11, maximum: 10 })
        expect(onError.mock.lastCall![0]).toBeInstanceOf(CostError)
      }
    },
  )

  test("gives back what a limiter charges too late, where another fails and the cost can never pass", async () => {
    const answer = deferred<Decision>()
    const late = new FakeLimiter(() => answer.promise)
    const failing = new FakeLimiter(() => Promise.reject(new Error("gone")))
    const limited = rateLimit(ok, {
      limits: [{ policy: "10/minute as late" }, { policy: "10/minute as failing", cost: () => 11 }],
      limiter: ({ name }) => (name === "late" ? late : failing),
      onError: () => {},
    })
    expect((await limited(requestOf())).status).toBe(400)
    answer.resolve(decisionOf({ receipt: RECEIPT }))
    await vi.waitFor(() => expect(late.refunds).toEqual([RECEIPT]))
  })

  test.each([
    ["namedLimiters()", (limits: MemoryLimits) => namedLimiters(limits)],
    ["oneLimit()", (limits: MemoryLimits) => () => oneLimit(limits, "api")],
  ])("leaves a cost to %s, whose policy others have changed", async (_name, limiterOf) => {
    const limits = new MemoryLimits({ limits: { api: "5/minute" }, clock: new ManualClock(0) })
    const limited = rateLimit(ok, {
      policy: "5/minute as api",
      key: (request) => request.headers.get("x-cost"),
      cost: (request) => Number(request.headers.get("x-cost")),
      limiter: limiterOf(limits),
    })
    expect((await limited(requestOf({ "x-cost": "1" }))).status).toBe(200)
    limits.define("api", "10/minute")
    const larger = await limited(requestOf({ "x-cost": "8" }))
    expect([larger.status, larger.headers.get("ratelimit")]).toEqual([200, '"default";r=2;t=48'])
    limits.define("api", "3/minute")
    const refused = await limited(requestOf({ "x-cost": "4" }))
    expect(refused.status).toBe(400)
    expect(await refused.json()).toMatchObject({ code: "COST_ABOVE_CAPACITY", cost: 4, maximum: 3 })
  })

  test("answers 400 where the limiter knows of a smaller maximum, over RPC too", async () => {
    const overRpc = Object.assign(new Error("cost"), { code: "COST_ABOVE_CAPACITY", maximum: 4 })
    for (const error of [new CostError("k", 5, 4), overRpc]) {
      const limiter = () => new FakeLimiter(() => Promise.reject(error))
      const response = await rateLimit(ok, { policy: "10/minute", cost: 5, limiter })(requestOf())
      expect(response.status).toBe(400)
      expect(await response.json()).toMatchObject({ cost: 5, maximum: 4 })
    }
  })
})
