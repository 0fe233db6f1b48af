import { afterEach, beforeEach, describe, expect, test, vi } from "vitest"
import { type RateLimitOptions, rateLimit, UNIDENTIFIED_KEY } from "../../src/http/index.js"
import { MemoryLimits } from "../../src/limiter/memory-limits.js"
import { parsePolicy } from "../../src/policy/parse-policy.js"
import { ManualClock } from "../../src/types/clock.js"
import type { Decision } from "../../src/types/decision.js"
import { StoreUnavailable } from "../../src/types/errors.js"
import { decisionOf, denialOf, FakeLimiter, RECEIPT } from "./fake-limiter.js"
import { deferred, ok, requestOf, settled } from "./requests.js"

describe("rateLimit() without an answer of the limiter", () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] })
    vi.spyOn(console, "warn").mockReturnValue()
  })
  afterEach(() => {
    expect(vi.getTimerCount()).toBe(0)
    vi.useRealTimers()
    vi.restoreAllMocks()
  })

  const policy = "10/minute"
  const hang = () => new FakeLimiter(() => new Promise<Decision>(() => {}))

  async function within<T>(ms: number, work: Promise<T>): Promise<T | "pending"> {
    await vi.advanceTimersByTimeAsync(ms)
    return Promise.race([work, settled().then(() => "pending" as const)])
  }

  test("waits for timeoutMs and no longer, by default 1,000 ms and open", async () => {
    const decisions: Decision[] = []
    const errors: unknown[] = []
    const limited = rateLimit(ok, {
      policy,
      limiter: hang,
      onDecision: (decision) => void decisions.push(decision),
      onError: (error) => void errors.push(error),
    })
    const work = limited(requestOf())
    expect(await within(999, work)).toBe("pending")
    const response = await within(1, work)
    expect(response).toBeInstanceOf(Response)
    expect((response as Response).status).toBe(200)
    expect((response as Response).headers.get("ratelimit-policy")).toBe('"default";q=10;w=60')
    expect((response as Response).headers.has("ratelimit")).toBe(false)
    expect(decisions).toMatchObject([{ allowed: true, reason: "fail-open", policy: "default", cost: 1 }])
    expect(errors).toHaveLength(1)
    expect(errors[0]).toBeInstanceOf(StoreUnavailable)
  })

  test.each([{}, { allowed: true }, { policy: "p" }, { allowed: true, policy: "p" }, null, 5])(
    "a limiter that answers %j has failed as one that throws",
    async (answer) => {
      for (const failMode of ["open", "closed", "local"] as const) {
        const errors: unknown[] = []
        const limiter = () => ({ check: async () => answer as unknown as Decision, refund() {} })
        const onError = (error: unknown) => void errors.push(error)
        const limited = rateLimit(ok, { policy, limiter, failMode, onError })
        expect((await limited(requestOf())).status).toBe(failMode === "closed" ? 503 : 200)
        expect(String(errors[0])).toMatch(
          /^RangeError: Cannot rate limit: the limiter's answer is .*, allowed is the decision/,
        )
      }
    },
  )

  test.each(["limiter", "localLimiter"] as const)("names a %s function that is asynchronous", async (option) => {
    const asynchronous = (async () => hang()) as unknown as typeof hang
    const limiters = option === "limiter" ? { limiter: asynchronous } : { limiter: hang, localLimiter: asynchronous }
    const errors: string[] = []
    const onError = (error: unknown) => void errors.push(String(error))
    const limited = rateLimit(ok, { policy, failMode: "local", ...limiters, onError })
    await within(1_000, limited(requestOf()))
    expect(errors.at(-1)).toBe(
      `RangeError: Cannot rate limit: what ${option} returns is a promise, allowed is an object with check().`,
    )
  })

  test.each([
    ["open", 'requests pass unlimited (failMode "open")'],
    ["closed", 'requests are refused (failMode "closed")'],
    ["local", 'requests are limited by this process alone, or refused where it cannot (failMode "local")'],
  ] as const)("without onError warns on the console, once, when %s", async (failMode, text) => {
    const limits = new MemoryLimits({ limits: { api: "1/minute" } })
    const options = { policy: "1/minute as api", limiter: () => limits, failMode } as const
    await rateLimit(ok, { ...options, onError() {} })(requestOf())
    expect(console.warn).not.toHaveBeenCalled()
    const limited = rateLimit(ok, options)
    for (let request = 0; request < 3; request++) await limited(requestOf())
    expect(vi.mocked(console.warn).mock.calls).toEqual([
      [
        `Cannot rate limit: ${text}. This is said once, an onError hears of every failure. ` +
          'The first: LimitNotFound: Cannot find the limit of key "unidentified": limits() lists those configured.',
      ],
    ])
  })

  test.each([
    ["throws", () => Promise.reject(new Error("no session\nat all")), "Error: no session at all"],
    ["is a number", () => 5 as never, "TypeError: Cannot use key 5: allowed is a text, or nothing."],
  ])("without onError warns on the console, once, where a key %s", async (_, key, reason) => {
    const options = { policy: "9/minute", key }
    await rateLimit(ok, { ...options, onError() {} })(requestOf())
    expect(console.warn).not.toHaveBeenCalled()
    const limited = rateLimit(ok, options)
    for (let request = 0; request < 3; request++) await limited(requestOf())
    expect(vi.mocked(console.warn).mock.calls).toEqual([
      [
        "Cannot rate limit by key: requests whose key cannot be had count together. This is said once, an onError hears " +
          `of every failure. The first: ${reason}`,
      ],
    ])
  })

  test("warns of a key and of an outage, each once, and of no key where there is nothing to find", async () => {
    let answer: unknown
    const limited = rateLimit(ok, { policy: "9/minute", key: () => answer as string, limiter: () => null as never })
    await limited(requestOf())
    answer = 5
    for (let request = 0; request < 3; request++) await limited(requestOf())
    expect(vi.mocked(console.warn).mock.calls).toEqual([
      [expect.stringContaining("requests pass unlimited")],
      [expect.stringContaining("count together")],
    ])
  })

  test("warns in one line that commands no terminal, whatever the error says", async () => {
    const policy = () => {
      throw new Error("line 1\r\nline 2\u2028\u001b[31mred\u009b0m")
    }
    const limited = rateLimit(ok, { policy, failMode: "local" })
    expect((await limited(requestOf())).status).toBe(503)
    expect(vi.mocked(console.warn).mock.calls).toEqual([
      [expect.stringMatching(/ The first: Error: line 1 line 2 \[31mred 0m$/)],
    ])
  })

  test("warns of what the error comes of, its first line, which may not be long", async () => {
    const causes = [
      new Error("SQL is not enabled: new_classes\u001b[31m\n    at rows (object-ledger-port.js:46:54)"),
      new Error("x".repeat(1_000)),
      "no error",
    ]
    for (const cause of causes) {
      const policy = () => {
        throw new Error("Cannot reach the store.", { cause })
      }
      await rateLimit(ok, { policy, failMode: "local" })(requestOf())
    }
    expect(vi.mocked(console.warn).mock.calls).toEqual([
      [
        expect.stringMatching(
          / The first: Error: Cannot reach the store\. Caused by Error: SQL is not enabled: new_classes \[31m$/,
        ),
      ],
      [expect.stringMatching(/Caused by Error: x{233}…$/)],
      [expect.stringMatching(/ The first: Error: Cannot reach the store\.$/)],
    ])
  })

  test.each([
    ["x is not a function", "y", "TypeError: x is not a function. Caused by Error: y"],
    ["Is it there?", "no", "TypeError: Is it there? Caused by Error: no"],
    ["Cannot ask: Error: refused.", "refused", "TypeError: Cannot ask: Error: refused."],
  ])("warns of %j, which comes of %j, in sentences, each once", async (message, cause, told) => {
    const policy = () => {
      throw new TypeError(message, { cause: new Error(cause) })
    }
    await rateLimit(ok, { policy, failMode: "local" })(requestOf())
    const warnings = vi.mocked(console.warn).mock.calls.map(([warning]) => String(warning).split(" The first: ")[1])
    expect(warnings).toEqual([told])
  })

  test("refuses with a 503 of its own when closed", async () => {
    const decisions: Decision[] = []
    const onLimited = vi.fn(ok)
    const limited = rateLimit(ok, {
      policy,
      limiter: hang,
      failMode: "closed",
      timeoutMs: 50,
      onLimited,
      onDecision: (decision) => void decisions.push(decision),
    })
    const response = (await within(50, limited(requestOf()))) as Response
    expect(response.status).toBe(503)
    expect(response.headers.get("retry-after")).toBe("1")
    expect(response.headers.get("cache-control")).toBe("no-store")
    expect(response.headers.has("ratelimit")).toBe(false)
    expect(await response.json()).toMatchObject({ type: "about:blank", status: 503, reason: "fail-closed" })
    expect(decisions).toMatchObject([{ allowed: false, reason: "fail-closed" }])
    expect(onLimited).not.toHaveBeenCalled()
  })

  test("refuses with a 429 when closed and told so", async () => {
    const limited = rateLimit(ok, { policy, limiter: hang, failMode: "closed", failClosedStatus: 429, timeoutMs: 1 })
    const response = (await within(1, limited(requestOf()))) as Response
    expect(response.status).toBe(429)
    expect(await response.json()).toMatchObject({ type: "about:blank", title: "Too Many Requests", status: 429 })
  })

  test("limits in this process when local", async () => {
    const reasons: string[] = []
    const limited = rateLimit(ok, {
      policy: "2/minute",
      limiter: hang,
      failMode: "local",
      timeoutMs: 10,
      clock: new ManualClock(0),
      onDecision: ({ allowed, reason, receipt }) => void reasons.push(`${allowed} ${reason} ${receipt?.cost ?? 0}`),
    })
    const responses: Response[] = []
    for (let call = 0; call < 3; call++) responses.push((await within(10, limited(requestOf()))) as Response)
    expect(responses.map(({ status }) => status)).toEqual([200, 200, 429])
    expect(responses.map(({ headers }) => headers.get("ratelimit"))).toEqual([
      '"default";r=1;t=30',
      '"default";r=0;t=60',
      '"default";r=0;t=30',
    ])
    expect(reasons).toEqual(["true fail-local 1", "true fail-local 1", "false fail-local 0"])
  })

  test.each(["draft-11", "draft-6"] as const)(
    "when local, tells of nothing left while the key is blocked, one limit or several, in %s",
    async (headers) => {
      const limiter = () => new FakeLimiter(() => Promise.reject(new StoreUnavailable("down")))
      const blocking = { name: "burst", limit: 3, period: "1s", block: "1m" } as const
      for (const limits of [
        { policy: blocking, key: () => "k" },
        {
          limits: [
            { policy: blocking, key: () => "k" },
            { policy: "9/minute as other", key: () => "k" },
          ],
        },
      ]) {
        const clock = new ManualClock(0)
        const limited = rateLimit(ok, { ...limits, headers, limiter, failMode: "local", clock, onError() {} })
        for (let admitted = 0; admitted < 3; admitted++) expect((await limited(requestOf())).status).toBe(200)
        for (const seconds of [60, 59, 1]) {
          const { status, headers } = await limited(requestOf())
          expect(status).toBe(429)
          if (headers.has("ratelimit-remaining")) {
            expect([headers.get("ratelimit-remaining"), headers.get("ratelimit-reset")]).toEqual(["0", `${seconds}`])
          } else {
            expect(headers.get("ratelimit")).toMatch(new RegExp(`^"burst";r=0;t=${seconds}(,|$)`))
          }
          clock.advance(seconds === 60 ? 1_000 : 58_000)
        }
      }
    },
  )

  test("makes the local limiter once per policy, by the factory given", async () => {
    const local = new FakeLimiter(() => decisionOf({ remaining: 5 }))
    const localLimiter = vi.fn(() => local)
    const limited = rateLimit(ok, {
      policy,
      limiter: hang,
      failMode: "local",
      timeoutMs: 1,
      localLimiter,
      key: () => "k",
    })
    await within(1, limited(requestOf()))
    const response = (await within(1, limited(requestOf()))) as Response
    expect(response.headers.get("ratelimit")).toBe('"default";r=5;t=6')
    expect(localLimiter).toHaveBeenCalledExactlyOnceWith(parsePolicy(policy))
    expect(local.checks).toEqual([
      { key: "k", cost: 1 },
      { key: "k", cost: 1 },
    ])
  })

  test("refuses where the local limiter fails too", async () => {
    const onError = vi.fn()
    const localLimiter = () => {
      throw new Error("local")
    }
    const limited = rateLimit(ok, { policy, limiter: hang, failMode: "local", timeoutMs: 1, localLimiter, onError })
    expect(((await within(1, limited(requestOf()))) as Response).status).toBe(503)
    expect(onError).toHaveBeenCalledTimes(2)
  })

  test("sets no timer for a limiter that answers at once, and clears the others'", async () => {
    await rateLimit(ok, { policy })(requestOf())
    expect(vi.getTimerCount()).toBe(0)
    await rateLimit(ok, { policy, limiter: () => new FakeLimiter(async () => decisionOf()) })(requestOf())
    expect(vi.getTimerCount()).toBe(0)
  })

  test("takes an answer that is no Promise but a thenable, as those of RPC are, and waits no longer for it", async () => {
    const answers = [(resolve: (decision: Decision) => void) => resolve(denialOf()), () => {}]
    // biome-ignore lint/suspicious/noThenProperty: a thenable is what this is about
    const limiter = () => new FakeLimiter(() => ({ then: answers.shift() }) as unknown as Promise<Decision>)
    const limited = rateLimit(ok, { policy, limiter, timeoutMs: 5 })
    expect((await limited(requestOf())).status).toBe(429)
    expect(((await within(5, limited(requestOf()))) as Response).status).toBe(200)
  })

  test.each([
    ["open", false],
    ["closed", true],
  ] as const)("when %s, gives back what a late answer charged: %s", async (failMode, isGivenBack) => {
    const late = deferred<Decision>()
    const limiter = new FakeLimiter(() => late.promise)
    const limited = rateLimit(ok, { policy, limiter: () => limiter, failMode, timeoutMs: 1 })
    await within(1, limited(requestOf()))
    expect(limiter.refunds).toEqual([])
    late.resolve(decisionOf({ receipt: RECEIPT }))
    await settled()
    expect(limiter.refunds).toEqual(isGivenBack ? [RECEIPT] : [])
  })

  test.each([
    [decisionOf(), false],
    [denialOf(), true],
  ])("when local, gives it back where the local limiter denied", async (localDecision, isGivenBack) => {
    const late = deferred<Decision>()
    const limiter = new FakeLimiter(() => late.promise)
    const localLimiter = () => new FakeLimiter(() => localDecision)
    const limited = rateLimit(ok, { policy, limiter: () => limiter, failMode: "local", timeoutMs: 1, localLimiter })
    await within(1, limited(requestOf()))
    late.resolve(decisionOf({ receipt: RECEIPT }))
    await settled()
    expect(limiter.refunds).toEqual(isGivenBack ? [RECEIPT] : [])
  })

  test("leaves no rejection unhandled when the late answer is an error", async () => {
    const unhandled = vi.fn()
    process.on("unhandledRejection", unhandled)
    const onError = vi.fn()
    for (const failMode of ["open", "closed", "local"] as const) {
      const late = deferred<Decision>()
      const limiter = () => new FakeLimiter(() => late.promise)
      const limited = rateLimit(ok, { policy, limiter, failMode, timeoutMs: 1, skipSuccessfulRequests: true, onError })
      await within(1, limited(requestOf()))
      late.reject(new Error("late"))
      await settled()
      await settled()
    }
    process.off("unhandledRejection", unhandled)
    expect(unhandled).not.toHaveBeenCalled()
    // Only the three timeouts: the late error is the same failure.
    expect(onError).toHaveBeenCalledTimes(3)
  })
})

describe("rateLimit() with something that throws", () => {
  const failing = () => {
    throw new Error("broken")
  }
  const broken: Record<string, Partial<RateLimitOptions<[]>>> = {
    "the limiter source": { limiter: failing },
    "the limiter, at once": { limiter: () => new FakeLimiter(failing) },
    "the limiter, later": { limiter: () => new FakeLimiter(() => Promise.reject(new Error("broken"))) },
    "the cost": { cost: failing },
    "the policy": { policy: failing },
    "a policy that cannot be": { policy: () => "10/fortnight" },
  }

  test.each(Object.keys(broken))("does as the fail mode says: %s", async (name) => {
    const statuses: Record<string, number> = {}
    for (const failMode of ["open", "closed"] as const) {
      const onError = vi.fn()
      const onDecision = vi.fn()
      const limited = rateLimit(ok, { policy: "10/minute", ...broken[name], failMode, onError, onDecision })
      statuses[failMode] = (await limited(requestOf())).status
      expect(onError).toHaveBeenCalledOnce()
      expect(onDecision.mock.calls[0]?.[0]).toMatchObject({ reason: `fail-${failMode}` })
    }
    expect(statuses).toEqual({ open: 200, closed: 503 })
  })

  test.each([
    ["throws", failing],
    ["gives no text", () => 42 as unknown as string],
  ])("limits all together whose key extractor %s, whatever the fail mode", async (_what, key) => {
    for (const failMode of ["open", "closed", "local"] as const) {
      const onError = vi.fn()
      const keys: string[] = []
      const onDecision = (decision: Decision) => void keys.push(`${decision.key} ${decision.reason}`)
      const clock = new ManualClock(0)
      const limited = rateLimit(ok, { policy: "1/minute", key, failMode, clock, onDecision, onError })
      expect((await limited(requestOf())).status).toBe(200)
      expect((await limited(requestOf())).status).toBe(429)
      expect(keys).toEqual([`${UNIDENTIFIED_KEY} ok`, `${UNIDENTIFIED_KEY} limit`])
      expect(onError).toHaveBeenCalledTimes(2)
    }
  })

  test("refuses when local and the policy is what failed", async () => {
    const onError = vi.fn()
    const response = await rateLimit(ok, { policy: failing, failMode: "local", onError })(requestOf())
    expect(response.status).toBe(503)
    expect(onError).toHaveBeenCalledOnce()
    expect(response.headers.has("ratelimit-policy")).toBe(false)
  })

  test("does not hold the response for onError, but tells the runtime's waitUntil", async () => {
    const hook = deferred<void>()
    const context = { waitUntil: vi.fn<(work: Promise<unknown>) => void>() }
    const limited = rateLimit((_request: Request, _env: object, _ctx: typeof context) => ok(), {
      policy: "10/minute",
      limiter: failing,
      onError: () => hook.promise,
    })
    expect((await limited(requestOf(), {}, context)).status).toBe(200)
    const waits = context.waitUntil.mock.calls.map(([work]) => work)
    expect(waits).toHaveLength(1)
    expect(await Promise.race([waits[0], settled().then(() => "pending")])).toBe("pending")
    hook.resolve()
    expect(await waits[0]).toBeUndefined()
  })

  test("goes on whatever the hooks do", async () => {
    const onError = vi.fn(() => Promise.reject(new Error("again")))
    const onDecision = async () => {
      throw new Error("hook")
    }
    const response = await rateLimit(ok, { policy: "10/minute", onDecision, onError })(requestOf())
    expect(response.status).toBe(200)
    await settled()
    expect(onError).toHaveBeenCalledOnce()
    const sync = await rateLimit(ok, { policy: "10/minute", onDecision: failing, onError: failing })(requestOf())
    expect(sync.status).toBe(200)
  })
})
