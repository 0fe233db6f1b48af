import { describe, expect, test, vi } from "vitest"
import { header, type RateLimitOptions, rateLimit } from "../../src/http/index.js"
import { ManualClock } from "../../src/types/clock.js"
import { decisionOf, FakeLimiter } from "./fake-limiter.js"
import { requestOf, settled } from "./requests.js"

describe("rateLimit() with a penalty", () => {
  const login = (request: Request) => new Response(null, { status: request.headers.has("x-right") ? 200 : 401 })
  const penalty: RateLimitOptions["penalty"] = ({ status }) => (status === 401 ? 4 : 0)

  test("charges it on top after the response, into debt, and nothing else", async () => {
    const clock = new ManualClock(0)
    const limited = rateLimit(login, { policy: "10/minute", penalty, clock })
    await limited(requestOf({ "x-right": "1" }))
    expect((await limited(requestOf())).headers.get("ratelimit")).toContain("r=8;")
    expect((await limited(requestOf())).headers.get("ratelimit")).toContain("r=3;")
    // 10 − 1 − 5 − 5 = −1: the next unit is there after two intervals of 6 s.
    expect((await limited(requestOf())).headers.get("retry-after")).toBe("12")
  })

  test("charges every limit of the request", async () => {
    const limited = rateLimit(login, {
      limits: [
        { policy: "10/minute", key: header("X-User") },
        { policy: "20/minute", key: () => "all" },
      ],
      penalty,
      clock: new ManualClock(0),
    })
    await limited(requestOf({ "X-User": "ann" }))
    const next = await limited(requestOf({ "X-User": "ann", "x-right": "1" }))
    expect(next.headers.get("ratelimit")).toBe('"default";r=4;t=36, "default-2";r=14;t=18')
  })

  test("asks no limiter for a charge of nothing", async () => {
    const charge = vi.fn()
    const onError = vi.fn()
    const unable = new FakeLimiter(() => decisionOf())
    for (const limiter of [Object.assign(new FakeLimiter(() => decisionOf()), { charge }), unable]) {
      const limited = rateLimit(login, { policy: "10/minute", penalty, limiter: () => limiter, onError })
      expect((await limited(requestOf({ "x-right": "1" }))).status).toBe(200)
      await settled()
    }
    expect(charge).not.toHaveBeenCalled()
    expect(onError).not.toHaveBeenCalled()
  })

  test("sees the response's headers, the request and what the runtime gives", async () => {
    const seen = vi.fn(() => 0)
    const handler = (_request: Request, _env: object) => new Response(null, { headers: { "x-login": "failed" } })
    const env = {}
    const request = requestOf()
    await rateLimit(handler, { policy: "10/minute", penalty: seen })(request, env)
    const [head, ...given] = seen.mock.calls[0] as unknown as [Response, Request, object]
    expect(head.headers.get("x-login")).toBe("failed")
    expect(given).toEqual([request, env])
  })

  test("is asked for what failed without a response as for a 500 without fields", async () => {
    const seen = vi.fn(() => 0)
    const throwing = rateLimit(() => Promise.reject(new Error("own")), { policy: "1/minute", penalty: seen })
    await expect(throwing(requestOf())).rejects.toThrow("own")
    const [head] = seen.mock.calls[0] as unknown as [Response]
    expect([head.status, [...head.headers]]).toEqual([500, []])
  })

  test("is not asked for what was denied or skipped", async () => {
    const seen = vi.fn(() => 0)
    const clock = new ManualClock(0)
    const limited = rateLimit(login, { policy: "1/minute", penalty: seen, clock })
    await limited(requestOf())
    await limited(requestOf())
    expect(seen).toHaveBeenCalledOnce()
    await rateLimit(login, { policy: "1/minute", penalty: seen, skip: () => true })(requestOf())
    expect(seen).toHaveBeenCalledOnce()
  })

  describe("while the limiter does not answer", () => {
    /** A limiter whose answers never come, and what was charged there. */
    function silent(charge: (key: string, units: number) => Promise<void> = async () => {}) {
      const charged: [key: string, units: number][] = []
      const limiter = Object.assign(new FakeLimiter(() => new Promise<never>(() => {})), {
        charge: (key: string, units: number) => {
          charged.push([key, units])
          return charge(key, units)
        },
      })
      return { limiter: () => limiter, charged }
    }

    test("charges it all the same, since the check may have charged", async () => {
      const { limiter, charged } = silent()
      const limited = rateLimit(login, { policy: "10/minute", key: () => "ann", penalty, limiter, timeoutMs: 1 })
      expect((await limited(requestOf())).status).toBe(401)
      expect(charged).toEqual([["ann", 4]])
    })

    test("reports that it could not be charged", async () => {
      const { limiter } = silent(() => Promise.reject(new Error("still silent")))
      const onError = vi.fn()
      await rateLimit(login, { policy: "10/minute", penalty, limiter, timeoutMs: 1, onError })(requestOf())
      await settled()
      expect(onError.mock.calls.map(([error]) => String(error))).toEqual([
        expect.stringContaining("within 1 ms"),
        "Error: still silent",
      ])
    })

    test('charges it where failMode "local" decided, and there alone', async () => {
      const { limiter, charged } = silent()
      const options = { policy: "10/minute", penalty, limiter, failMode: "local", timeoutMs: 1 } as const
      const limited = rateLimit(login, { ...options, clock: new ManualClock(0) })
      await limited(requestOf())
      expect((await limited(requestOf())).headers.get("ratelimit")).toContain("r=4;")
      expect(charged).toEqual([])
    })

    test("charges nobody where it is not known whom to ask", async () => {
      const { limiter, charged } = silent()
      const policy = () => Promise.reject(new Error("no policy"))
      await rateLimit(login, { policy, penalty, limiter, timeoutMs: 1 })(requestOf())
      await settled()
      expect(charged).toEqual([])
    })
  })

  test.each<[string, Partial<RateLimitOptions<[]>>]>([
    ["a limiter that cannot charge", { limiter: () => new FakeLimiter(() => decisionOf()), penalty: () => 1 }],
    ["units that are none", { penalty: () => 0.5 }],
    [
      "a function that throws",
      {
        penalty: () => {
          throw new Error("own")
        },
      },
    ],
  ])("reports %s, and the response goes on", async (_what, options) => {
    const onError = vi.fn()
    const limited = rateLimit(() => new Response("ok"), { policy: "10/minute", ...options, onError })
    expect((await limited(requestOf())).status).toBe(200)
    await settled()
    expect(onError).toHaveBeenCalledOnce()
  })
})
