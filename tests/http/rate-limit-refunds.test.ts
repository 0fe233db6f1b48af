import { describe, expect, test, vi } from "vitest"
import { type RateLimitOptions, rateLimit } from "../../src/http/index.js"
import { ManualClock } from "../../src/types/clock.js"
import type { Decision } from "../../src/types/decision.js"
import { decisionOf, denialOf, FakeLimiter, RECEIPT } from "./fake-limiter.js"
import { deferred, ok, requestOf, settled } from "./requests.js"

describe("rateLimit() that gives charges back", () => {
  const policy = "10/minute"
  const charged = () => new FakeLimiter(() => decisionOf({ receipt: RECEIPT }))

  test.each([
    ["skipFailedRequests", 500, true],
    ["skipFailedRequests", 404, true],
    ["skipFailedRequests", 400, true],
    ["skipFailedRequests", 399, false],
    ["skipFailedRequests", 200, false],
    ["skipSuccessfulRequests", 200, true],
    ["skipSuccessfulRequests", 399, true],
    ["skipSuccessfulRequests", 400, false],
  ] as const)("%s, at status %s: %s", async (option, status, isGivenBack) => {
    const limiter = charged()
    const limited = rateLimit(() => new Response(null, { status }), { policy, limiter: () => limiter, [option]: true })
    expect((await limited(requestOf())).status).toBe(status)
    await settled()
    expect(limiter.refunds).toEqual(isGivenBack ? [RECEIPT] : [])
  })

  test("skipFailedRequests gives back where the clock stepped back while the request was answered", async () => {
    const clock = new ManualClock(1_000_000)
    const answer = () => {
      clock.advance(-1)
      return new Response(null, { status: 500 })
    }
    const policy = "1/hour sliding_window_log"
    const limited = rateLimit(answer, { policy, key: () => "a", clock, skipFailedRequests: true })
    for (let request = 0; request < 3; request++) {
      expect((await limited(requestOf())).status).toBe(500)
      await settled()
    }
  })

  test("skipFailedRequests counts an error of the handler and of the network as failed", async () => {
    const limiter = charged()
    const options = { policy, limiter: () => limiter, skipFailedRequests: true }
    const throwing = rateLimit(() => Promise.reject(new Error("own")), options)
    await expect(throwing(requestOf())).rejects.toThrow("own")
    await rateLimit(() => Response.error(), options)(requestOf())
    await settled()
    expect(limiter.refunds).toEqual([RECEIPT, RECEIPT])
  })

  test.each([
    ["skipFailedRequests", () => new Response(null, { status: 500 })],
    ["skipFailedRequests", () => Promise.reject(new Error("own"))],
    ["skipSuccessfulRequests", ok],
  ] as const)("%s keeps the charge of a client that has gone before its answer", async (option, answer) => {
    const limiter = charged()
    const controller = new AbortController()
    const limited = rateLimit(
      () => {
        controller.abort()
        return answer()
      },
      { policy, limiter: () => limiter, [option]: true },
    )
    await limited(new Request("http://localhost/", { signal: controller.signal })).catch(() => {})
    await settled()
    expect([limiter.checks.length, limiter.refunds]).toEqual([1, []])
  })

  test("skipSuccessfulRequests gives the charge of an upgrade back, at which Deno says that its client has gone", async () => {
    const limiter = charged()
    const controller = new AbortController()
    // Node makes no response of status 101, so this one is made up.
    const upgrade = () => {
      controller.abort()
      return { status: 101, headers: new Headers() } as Response
    }
    const limited = rateLimit(upgrade, { policy, limiter: () => limiter, skipSuccessfulRequests: true })
    await limited(new Request("http://localhost/", { signal: controller.signal }))
    await settled()
    expect(limiter.refunds).toEqual([RECEIPT])
  })

  test("leaves the quota of the in-memory limiter as it was", async () => {
    const statuses = [500, 500, 200, 200]
    const limited = rateLimit(() => new Response(null, { status: statuses.shift()! }), {
      policy: "1/minute",
      skipFailedRequests: true,
      clock: new ManualClock(0),
    })
    const seen: number[] = []
    for (let call = 0; call < 4; call++) seen.push((await limited(requestOf())).status)
    expect(seen).toEqual([500, 500, 200, 429])
  })

  test("gives nothing back for a denial, and leaves nothing to wait for", async () => {
    const limiter = new FakeLimiter(() => denialOf())
    const context = { waitUntil: vi.fn() }
    const handler = (_request: Request, _ctx: typeof context) => ok()
    await rateLimit(handler, { policy, limiter: () => limiter, skipFailedRequests: true })(requestOf(), context)
    await settled()
    expect(limiter.refunds).toEqual([])
    expect(context.waitUntil).not.toHaveBeenCalled()
  })

  test("does not hold the response for it, but tells the runtime's waitUntil", async () => {
    const refund = deferred<void>()
    const limiter = Object.assign(charged(), { refund: () => refund.promise })
    const waits: Promise<unknown>[] = []
    const context = {
      waits,
      waitUntil(work: Promise<unknown>) {
        this.waits.push(work)
      },
    }
    const limited = rateLimit(
      (_request: Request, _env: object, _ctx: typeof context) => new Response(null, { status: 500 }),
      {
        policy,
        limiter: () => limiter,
        skipFailedRequests: true,
      },
    )
    expect((await limited(requestOf(), {}, context)).status).toBe(500)
    expect(waits).toHaveLength(1)
    expect(await Promise.race([waits[0], settled().then(() => "pending")])).toBe("pending")
    refund.resolve()
    expect(await waits[0]).toBeUndefined()
  })

  test("reports a refund that is lost", async () => {
    const limiter = charged()
    limiter.refundError = new Error("lost")
    const onError = vi.fn()
    const limited = rateLimit(() => new Response(null, { status: 500 }), {
      policy,
      limiter: () => limiter,
      skipFailedRequests: true,
      onError,
    })
    expect((await limited(requestOf())).status).toBe(500)
    await settled()
    expect(onError.mock.calls[0]?.[0]).toBe(limiter.refundError)
  })
})

describe("rateLimit() in shadow mode", () => {
  test("decides, charges and reports, but denies nothing and tells no client", async () => {
    const decisions: Decision[] = []
    const limited = rateLimit(ok, {
      policy: "1/minute",
      shadow: true,
      clock: new ManualClock(0),
      onDecision: (decision) => void decisions.push(decision),
    })
    for (let call = 0; call < 2; call++) {
      const response = await limited(requestOf())
      expect(response.status).toBe(200)
      expect([...response.headers.keys()]).toEqual(["content-type"])
    }
    expect(decisions.map(({ allowed }) => allowed)).toEqual([true, false])
  })

  test("lets pass what a limiter that fails closed, or a cost, would refuse", async () => {
    const onError = vi.fn()
    const limiter = () => {
      throw new Error("gone")
    }
    const options: RateLimitOptions<[]> = { policy: "1/minute", shadow: true, onError, failMode: "closed" }
    expect((await rateLimit(ok, { ...options, limiter })(requestOf())).status).toBe(200)
    expect((await rateLimit(ok, { ...options, cost: () => 2 })(requestOf())).status).toBe(200)
    expect(onError).toHaveBeenCalledTimes(2)
  })
})
