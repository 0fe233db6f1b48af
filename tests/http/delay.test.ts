import { afterEach, beforeEach, describe, expect, test, vi } from "vitest"
import { type RateLimitOptions, rateLimit } from "../../src/http/index.js"
import { RateLimiter } from "../../src/limiter/rate-limiter.js"
import { ManualClock } from "../../src/types/clock.js"
import type { Decision } from "../../src/types/decision.js"
import { ok, requestOf, settled } from "./requests.js"

describe("rateLimit() with delay", () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] })
  })
  afterEach(() => {
    expect(vi.getTimerCount()).toBe(0)
    vi.useRealTimers()
  })

  const policy = { limit: 10, period: "10s", algorithm: "leaky_bucket" as const, burst: 5 }

  function limitedBy(options: Partial<RateLimitOptions<[]>>) {
    const served = vi.fn(ok)
    return { served, limited: rateLimit(served, { policy, clock: new ManualClock(0), ...options }) }
  }

  test("holds each admitted request until its turn, so that they leave at a constant rate", async () => {
    const { served, limited } = limitedBy({ delay: true })
    const work = Array.from({ length: 4 }, () => limited(requestOf()))
    const served_: number[] = []
    for (let second = 0; second < 4; second++) {
      await settled()
      served_.push(served.mock.calls.length)
      await vi.advanceTimersByTimeAsync(1_000)
    }
    expect(served_).toEqual([1, 2, 3, 4])
    for (const response of await Promise.all(work)) expect(response.status).toBe(200)
  })

  test("denies what would be held for longer than maxMs, and charges nothing for it", async () => {
    const { served, limited } = limitedBy({ delay: { maxMs: 1_500 } })
    const work = [limited(requestOf()), limited(requestOf())]
    const denied = await limited(requestOf())
    expect(denied.status).toBe(429)
    expect(denied.headers.get("retry-after")).toBe("1")
    expect(denied.headers.get("ratelimit")).toBe('"default";r=3;t=1')
    expect(await denied.json()).toMatchObject({ retry_after_ms: 500, "violated-policies": ["default"] })
    const again = await limited(requestOf())
    expect(again.status).toBe(429)
    expect(again.headers.get("ratelimit")).toBe('"default";r=3;t=1')
    await vi.advanceTimersByTimeAsync(1_000)
    await Promise.all(work)
    expect(served).toHaveBeenCalledTimes(2)
  })

  test("asks limiters in memory for no charge of what would be held for too long", async () => {
    const clock = new ManualClock(0)
    const paced = new RateLimiter(policy, { clock, stats: true })
    const other = new RateLimiter("9/minute as other", { clock, stats: true })
    const limits = [{ policy }, { policy: "9/minute as other" }]
    for (const options of [{ policy }, { limits }]) {
      paced.reset("unidentified")
      const limiter = ({ name }: { readonly name: string }) => (name === "other" ? other : paced)
      const limited = rateLimit(ok, { ...options, delay: { maxMs: 500 }, limiter: (wanted) => limiter(wanted) })
      const statuses: number[] = []
      for (let asked = 0; asked < 5; asked++) statuses.push((await limited(requestOf())).status)
      expect(statuses).toEqual([200, 429, 429, 429, 429])
    }
    expect(paced.stats("unidentified").totalAllowed).toBe(2)
    expect(other.stats("unidentified").totalAllowed).toBe(1)
  })

  test("asks a limiter in memory for no charge where one of two rules would hold for too long", async () => {
    const rules = [
      { ...policy, name: "slow" },
      { ...policy, period: "5s", name: "fast" },
    ]
    const paced = new RateLimiter(rules, { clock: new ManualClock(0) })
    const limited = rateLimit(ok, { policy: rules, delay: { maxMs: 999 }, limiter: () => paced })
    expect((await limited(requestOf())).status).toBe(200)
    const [check, refund] = [vi.spyOn(paced, "check"), vi.spyOn(paced, "refund")]
    const denied = await limited(requestOf())
    expect(denied.status).toBe(429)
    expect(await denied.json()).toMatchObject({ "violated-policies": ["slow"], retry_after_ms: 1 })
    await settled()
    expect(check).not.toHaveBeenCalled()
    expect(refund).not.toHaveBeenCalled()
  })

  test("holds for maxMs and no longer", async () => {
    const { served, limited } = limitedBy({ delay: { maxMs: 1_000 } })
    const [first, held, denied] = [limited(requestOf()), limited(requestOf()), limited(requestOf())]
    expect([(await first).status, (await denied).status]).toEqual([200, 429])
    await vi.advanceTimersByTimeAsync(1_000)
    expect((await held).status).toBe(200)
    expect(served).toHaveBeenCalledTimes(2)
  })

  test("waits for the last of several limits, of which one would hold the request and another denies it", async () => {
    const clock = new ManualClock(0)
    const limits = [
      { name: "pace", policy: { limit: 10, period: "1s", algorithm: "leaky_bucket" as const } },
      { name: "daily", policy: "2/day" },
    ]
    const limited = rateLimit(ok, { limits, delay: { maxMs: 50 }, clock })
    await limited(requestOf())
    clock.advance(200)
    await limited(requestOf())
    clock.advance(20)
    const denied = await limited(requestOf())
    expect(denied.headers.get("retry-after")).toBe("43200")
    expect(denied.headers.get("ratelimit")).toBe('"pace";r=9;t=1, "daily";r=0;t=43200')
    expect(await denied.json()).toMatchObject({
      ...{ "violated-policies": ["pace", "daily"], retry_after_ms: 43_199_780 },
      detail: 'The policy "daily" admits this request in 43199780 ms.',
    })
  })

  const pace = { limit: 1, period: "2s", algorithm: "leaky_bucket" as const, burst: 100 }

  test.each<[string, RateLimitOptions<[]>]>([
    [
      "limit",
      {
        limits: [
          { name: "quota", policy: "4/minute" },
          { name: "pace", policy: pace },
        ],
      },
    ],
    ["rule", { policy: ["4/minute as quota", { ...pace, name: "pace" }] }],
  ])("names the %s that would hold the request for too long", async (_what, options) => {
    const onDecision = vi.fn()
    const limited = rateLimit(ok, { ...options, delay: { maxMs: 1_000 }, clock: new ManualClock(0), onDecision })
    await limited(requestOf())
    const denied = await limited(requestOf())
    expect(denied.headers.get("ratelimit")).toBe('"quota";r=3;t=1, "pace";r=99;t=1')
    expect(await denied.json()).toMatchObject({
      detail: 'The policy "pace" admits this request in 1000 ms.',
      ...{ "violated-policies": ["pace"], limit: 1, remaining: 99, retry_after_ms: 1_000 },
    })
    const told = { allowed: false, reason: "limit", policy: "pace", algorithm: "leaky_bucket", retryAfterMs: 1_000 }
    expect(onDecision.mock.lastCall![0]).toMatchObject(told)
  })

  test("tells of each denial the shortest wait after which the request passes and its hold fits", async () => {
    const leaky = { limit: 1, period: "1s", algorithm: "leaky_bucket" as const, burst: 3 }
    const cases: RateLimitOptions<[]>[] = [
      { policy: leaky, penalty: () => 2 },
      { policy: leaky, cost: () => 2 },
      { policy: [leaky, { ...leaky, limit: 3, name: "fast" }, "4/5s"], cost: () => 3 },
      { limits: [{ policy: leaky, cost: 3 }, { policy: "2/3s" }] },
      { limits: [{ policy: { ...leaky, block: "700ms" }, cost: 2 }, { policy: { ...leaky, limit: 2, burst: 9 } }] },
    ]
    for (const options of cases) {
      const clock = new ManualClock(0)
      const waits: number[] = []
      const limited = rateLimit(ok, {
        ...options,
        ...{ delay: { maxMs: 500 }, clock, onDecision: ({ retryAfterMs }) => void waits.push(retryAfterMs) },
      })
      const ask = async () => {
        const work = limited(requestOf())
        await settled()
        await vi.advanceTimersByTimeAsync(500)
        return [(await work).status, waits.at(-1)!] as const
      }
      for (let round = 0; round < 12; round++) {
        const [status, waitMs] = await ask()
        if (status === 200) continue
        clock.advance(waitMs - 1)
        if (!("limits" in options)) expect((await ask())[0]).toBe(429)
        clock.advance(1)
        expect((await ask())[0]).toBe(200)
      }
      expect(Math.max(...waits)).toBeGreaterThan(0)
    }
  })

  test("denies by the rule whose hold is too long alone, and by its block for as long as that lasts", async () => {
    const slow = { limit: 1, period: "10s", algorithm: "leaky_bucket" as const, burst: 9, name: "slow" }
    const fast = { ...slow, period: "1s", name: "fast" }
    const policies = [[slow, fast], { ...slow, period: "1s", burst: 1, block: "1m" }] as const
    const [own, blocked] = await Promise.all(
      policies.map(async (policy) => {
        const decided: Decision[] = []
        const onDecision = (decision: Decision) => void decided.push(decision)
        const limited = rateLimit(ok, { policy, delay: { maxMs: 2_000 }, clock: new ManualClock(0), onDecision })
        await limited(requestOf())
        const response = await limited(requestOf())
        return { problem: await response.json(), decision: decided.at(-1)! }
      }),
    )
    expect(own!.problem).toMatchObject({ "violated-policies": ["slow"], retry_after_ms: 8_000 })
    expect(own!.decision.rules?.map((rule) => rule.retryAfterMs)).toEqual([8_000, 0])
    expect(blocked!.decision).toMatchObject({ allowed: false, retryAfterMs: 60_000 })
  })

  test("holds no other algorithm, and nothing in shadow mode or without being asked", async () => {
    const gcra = () => "10/second"
    for (const options of [{ policy: gcra, delay: true }, { shadow: true, delay: true }, { delay: false }, {}]) {
      const { served, limited } = limitedBy(options)
      await limited(requestOf())
      await limited(requestOf())
      expect(served).toHaveBeenCalledTimes(2)
    }
  })

  test("drops a request whose client has gone, before its turn or before it is held, and keeps its charge", async () => {
    const left: number[] = []
    const onDecision = ({ remaining }: Decision) => void left.push(remaining)
    const { served, limited } = limitedBy({ delay: true, onDecision, skipFailedRequests: true })
    await limited(requestOf())
    const controller = new AbortController()
    const work = limited(new Request("http://localhost/", { signal: controller.signal }))
    await settled()
    expect(served).toHaveBeenCalledTimes(1)
    controller.abort()
    expect((await work).status).toBe(499)
    const gone = new Request("http://localhost/", { signal: controller.signal })
    expect((await limited(gone)).status).toBe(499)
    expect(served).toHaveBeenCalledTimes(1)
    expect(left).toEqual([4, 3, 2])
  })

  test("is refused where no policy tells a delay, and where one of several does it is not", () => {
    const text = "allowed is none without a leaky_bucket: no other algorithm tells a delay."
    expect(() => limitedBy({ policy: "10/second", delay: true })).toThrow(
      new RangeError(`Cannot rate limit: delay is true, ${text}`),
    )
    const served = ok
    const limits = [{ policy: "10/second" }, { policy: "10/minute; 100/hour" }]
    expect(() => rateLimit(served, { limits, delay: { maxMs: 5 } })).toThrow(
      new RangeError(`Cannot rate limit: delay is {"maxMs":5}, ${text}`),
    )
    rateLimit(served, { limits, delay: false })
    rateLimit(served, { limits: [...limits, { policy, name: "shaped" }], delay: true })
    rateLimit(served, { limits: [...limits, { policy: () => "1/second" }], delay: true })
    rateLimit(served, { policy: "10/second; 100/minute leaky_bucket", delay: true })
  })

  test("names the field of its object where it is none", () => {
    expect(() => limitedBy({ policy, delay: "3s" as never })).toThrow(
      new RangeError('Cannot rate limit: delay is "3s", allowed is true or false, or { maxMs }.'),
    )
  })

  test.each([0, -1, 1.5, 2 ** 31, Number.NaN])("refuses maxMs %s", (maxMs) => {
    expect(() => limitedBy({ delay: { maxMs } })).toThrow("delay.maxMs")
  })
})
