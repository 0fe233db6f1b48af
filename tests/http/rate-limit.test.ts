import { describe, expect, test, vi } from "vitest"
import { clientAddress, guardRequests, type RateLimitOptions, rateLimit } from "../../src/http/index.js"
import { RateLimiter } from "../../src/limiter/rate-limiter.js"
import { ManualClock } from "../../src/types/clock.js"
import { PolicyError } from "../../src/types/errors.js"
import { denialOf, FakeLimiter } from "./fake-limiter.js"
import { ok, requestOf } from "./requests.js"

describe("rateLimit() in memory", () => {
  test("admits the limit, then denies with Retry-After, and waiting exactly that long admits again", async () => {
    const clock = new ManualClock(1_000_000)
    const limited = rateLimit(ok, { policy: "3/minute", clock })
    const remaining: (string | null)[] = []
    for (let call = 0; call < 3; call++) {
      const response = await limited(requestOf())
      expect(response.status).toBe(200)
      expect(await response.text()).toBe("ok")
      expect(response.headers.has("retry-after")).toBe(false)
      remaining.push(response.headers.get("ratelimit"))
    }
    expect(remaining).toEqual(['"default";r=2;t=20', '"default";r=1;t=40', '"default";r=0;t=60'])

    const denied = await limited(requestOf())
    expect(denied.status).toBe(429)
    expect(Object.fromEntries(denied.headers)).toEqual({
      "content-type": "application/problem+json",
      "cache-control": "no-store",
      "retry-after": "20",
      "ratelimit-policy": '"default";q=3;w=60',
      ratelimit: '"default";r=0;t=20',
    })
    expect(await denied.json()).toMatchObject({
      type: "https://iana.org/assignments/http-problem-types#quota-exceeded",
      status: 429,
      "violated-policies": ["default"],
      retry_after_ms: 20_000,
    })

    clock.advance(19_999)
    expect((await limited(requestOf())).status).toBe(429)
    clock.advance(1)
    expect((await limited(requestOf())).status).toBe(200)
  })

  test("has an item for each rule of a policy with several", async () => {
    const clock = new ManualClock(0)
    const limited = rateLimit(ok, { policy: "2/second as burst; 100/hour as hourly", clock })
    const first = await limited(requestOf())
    expect(first.headers.get("ratelimit-policy")).toBe('"burst";q=2;w=1, "hourly";q=100;w=3600')
    expect(first.headers.get("ratelimit")).toBe('"burst";r=1;t=1, "hourly";r=99;t=36')
    await limited(requestOf())
    const denied = await limited(requestOf())
    expect(denied.status).toBe(429)
    expect(await denied.json()).toMatchObject({ "violated-policies": ["burst"] })
    expect(denied.headers.get("ratelimit")).toBe('"burst";r=0;t=1, "hourly";r=98;t=1')
  })

  test("counts apart for each rateLimit, and for each policy that a function gives", async () => {
    const clock = new ManualClock(0)
    const options = { policy: "1/minute", clock }
    const [one, other] = [rateLimit(ok, options), rateLimit(ok, options)]
    expect((await one(requestOf())).status).toBe(200)
    expect((await other(requestOf())).status).toBe(200)
    expect((await one(requestOf())).status).toBe(429)

    const tiers = rateLimit(ok, {
      policy: (request) =>
        request.headers.has("x-paid") ? { limit: 2, period: "1m", name: "paid" } : "1/minute as free",
      clock,
    })
    const statuses: number[] = []
    for (const headers of [{}, {}, { "x-paid": "1" }, { "x-paid": "1" }, { "x-paid": "1" }]) {
      statuses.push((await tiers(requestOf(headers as Record<string, string>))).status)
    }
    expect(statuses).toEqual([200, 429, 200, 200, 429])
  })

  test("limits by client address by default, and all without one together", async () => {
    const limited = rateLimit((_request: Request, _info: { remoteAddress?: string }) => ok(), {
      policy: "1/minute",
      clock: new ManualClock(0),
    })
    const from = async (remoteAddress?: string) =>
      (await limited(requestOf(), remoteAddress ? { remoteAddress } : {})).status
    expect(await from("192.0.2.1")).toBe(200)
    expect(await from("::ffff:192.0.2.1")).toBe(429)
    expect(await from("192.0.2.2")).toBe(200)
    expect(await from()).toBe(200)
    expect(await from("garbage")).toBe(429)
  })

  test.each(["__proto__", "constructor", "🔑", "x".repeat(10_000), "a\ud800"])("takes the key %j", async (key) => {
    const limited = rateLimit(ok, { policy: "1/minute", key: () => key, clock: new ManualClock(0) })
    expect((await limited(requestOf())).status).toBe(200)
    expect((await limited(requestOf())).status).toBe(429)
  })
})

test.each([
  ["finds nothing", () => undefined],
  [
    "throws",
    () => {
      throw new Error("own")
    },
  ],
])("rateLimit() limits by an extractor's long unidentified where it %s", async (_what, extract) => {
  const key = Object.assign(extract, { unidentified: "x".repeat(600) })
  const limited = rateLimit(ok, { policy: "1/minute", key, clock: new ManualClock(0) })
  expect([(await limited(requestOf())).status, (await limited(requestOf())).status]).toEqual([200, 429])
})

describe("rateLimit() hands on", () => {
  test("the request and all that the runtime gives, to the handler and every function", async () => {
    const env = { name: "env" }
    const context = { name: "ctx" }
    const seen: unknown[][] = []
    const see =
      <T>(result: T) =>
      (...given: unknown[]): T => {
        seen.push(given.filter((value) => value === env || value === context))
        return result
      }
    const limiter = new FakeLimiter(() => denialOf())
    const limited = rateLimit((_request: Request, _env: typeof env, _ctx: typeof context) => ok(), {
      policy: see("10/minute"),
      key: see("k"),
      cost: see(2),
      skip: see(false),
      limiter: see(limiter),
      onLimited: see(new Response("own", { status: 429 })),
      onDecision: see(undefined),
    })
    await limited(requestOf(), env, context)
    expect(seen).toHaveLength(7)
    for (const given of seen) expect(given).toEqual([env, context])
    expect(limiter.checks).toEqual([{ key: "k", cost: 2 }])
  })

  test("what the handler throws", async () => {
    const limited = rateLimit(
      () => {
        throw new Error("own")
      },
      { policy: "1/minute" },
    )
    await expect(limited(requestOf())).rejects.toThrow("own")
  })

  test("an immutable response, copied", async () => {
    const limited = rateLimit(() => fetch("data:text/plain,far"), { policy: "10/minute" })
    const response = await limited(requestOf())
    expect(response.headers.get("ratelimit-policy")).toBe('"default";q=10;w=60')
    expect(await response.text()).toBe("far")
  })

  test("the items of a limit within a limit", async () => {
    const inner = rateLimit(ok, { policy: "10/minute as inner", clock: new ManualClock(0) })
    const outer = rateLimit(inner, { policy: "100/minute as outer", clock: new ManualClock(0) })
    const response = await outer(requestOf())
    expect(response.headers.get("ratelimit")).toBe('"inner";r=9;t=6, "outer";r=99;t=1')
    expect(response.headers.get("ratelimit-policy")).toBe('"inner";q=10;w=60, "outer";q=100;w=60')
  })
})

describe("rateLimit() with a limiter of one's own", () => {
  const clock = new ManualClock(0)
  const statuses = async (limited: (request: Request, tenant: string) => Promise<Response>, ...tenants: string[]) => {
    const answers: number[] = []
    for (const tenant of tenants) answers.push((await limited(requestOf(), tenant)).status)
    return answers
  }

  test("asks a function of the policy once for each policy, so that it may make the limiter", async () => {
    const limiter = vi.fn()
    const limited = rateLimit((_request: Request, _tenant: string) => ok(), {
      policy: (_request, tenant) => (tenant === "a" ? "1/minute" : "2/minute"),
      limiter: (policy) => {
        limiter(policy.canonical)
        return new RateLimiter(policy, { clock })
      },
    })
    expect(await statuses(limited, "a", "b", "a", "b", "b")).toEqual([200, 200, 429, 200, 429])
    expect(limiter).toHaveBeenCalledTimes(2)
  })

  test("asks a function of the call at every request", async () => {
    const limiters = new Map(["a", "b"].map((tenant) => [tenant, new RateLimiter("1/minute", { clock })]))
    const limited = rateLimit((_request: Request, _tenant: string) => ok(), {
      policy: "1/minute",
      limiter: (_policy, tenant) => limiters.get(tenant)!,
    })
    expect(await statuses(limited, "a", "b", "a", "b")).toEqual([200, 200, 429, 429])
  })
})

/** An extractor that finds nothing, and says under what such requests count. */
const unidentified = (shared: unknown) => Object.assign(() => undefined, { unidentified: shared as string })

describe("rateLimit() refuses at construction", () => {
  test.each<[string, Partial<RateLimitOptions<[]>>]>([
    ["failMode", { failMode: "ajar" as "open" }],
    ["failClosedStatus", { failClosedStatus: 500 as 503 }],
    ["legacyReset", { legacyReset: "seconds" as "delta" }],
    ["timeoutMs", { timeoutMs: 0 }],
    ["timeoutMs", { timeoutMs: 2 ** 31 }],
    ["timeoutMs", { timeoutMs: Number.NaN }],
    ["status", { status: 200 }],
    ["status", { status: 600 }],
    ["jitter.maxSeconds", { jitter: { maxSeconds: 0.5 } }],
    ["headers", { headers: "draft-12" as "draft-11" }],
    ["headers", { headers: ["draft-11", "draft-7"] }],
    ["quotaUnit", { quotaUnit: "é" }],
    ["partitionSecret", { partitionSecret: "short" }],
    ["skipFailedRequests", { skipFailedRequests: true, skipSuccessfulRequests: true }],
    ["cost", { cost: 11 }],
    ["cost", { cost: -1 }],
    ["cost", { cost: Number.NaN }],
  ])("a bad %s: %j", (field, options) => {
    expect(() => rateLimit(ok, { policy: "10/minute", ...options })).toThrow(RangeError)
    expect(() => rateLimit(ok, { policy: "10/minute", ...options })).toThrow(field)
  })

  test.each<[string, unknown]>([
    ["cost", { cost: "1" }],
    ["cost", { cost: "1", policy: () => "10/minute" }],
    ["cost", { cost: 0.5, policy: () => "10/minute" }],
    ["clock", { clock: {} }],
    ["clock", { clock: null }],
    ["limiter", { limiter: {} }],
    ["localLimiter", { localLimiter: {} }],
    ["shadow", { shadow: "false" }],
    ["delay.maxMs", { delay: {} }],
    ["delay.maxMs", { delay: { maxMs: "1" } }],
    ["delay", { delay: "true" }],
    ["delay", { delay: null }],
    ['(did you mean "failMode"?)', { failmode: "closed" }],
    ['(did you mean "maxMs"?)', { delay: { maxMS: 1 } }],
    ['option is "nonsense", allowed is policy, key, ', { nonsense: undefined }],
    ["key", { key: "x" }],
    ["skip", { skip: true }],
    ["penalty", { penalty: 10 }],
    ["onLimited", { onLimited: 429 }],
    ["onDecision", { onDecision: console }],
    ["onError", { onError: null }],
    ["skipFailedRequests", { skipFailedRequests: "yes" }],
    ["allow.addresses", { allow: { addresses: "10.0.0.0/8" } }],
    ["allow.keys", { allow: { keys: "a" } }],
    ["deny.keys", { deny: { keys: ["a", 5] } }],
    ["deny.addresses", { deny: { addresses: [5] } }],
    ["deny", { deny: ["1.2.3.4"] }],
    ["deny", { deny: "1.2.3.4" }],
    ['(did you mean "addresses"?)', { deny: { adresses: ["1.2.3.4"] } }],
    ["address is", { address: "X-Real-IP" }],
    ["header", { address: { header: "X Real IP" } }],
    ["header", { address: { header: "" } }],
    ['(did you mean "trustedHops"?)', { address: { trustedHop: 1 } }],
    ["jitter", { jitter: true }],
    ["jitter.random", { jitter: { maxSeconds: 1, random: 0.5 } }],
    ["headers", { headers: true }],
    ["headers", { headers: null }],
    ["partitionSecret", { partitionSecret: Array(16) }],
    ["quotaUnit", { quotaUnit: 5 }],
    ["name", { name: 5 }],
    ["limits[0].key", { policy: undefined, limits: [{ policy: "1/minute", key: "x" }] }],
    ['key.unidentified is "", allowed is a text, not empty', { key: unidentified("") }],
    ["key.unidentified", { key: unidentified(5) }],
    ["key.unidentified", { key: unidentified(null) }],
    ["limits[0].key.unidentified", { policy: undefined, limits: [{ policy: "1/minute", key: unidentified("") }] }],
    ['(did you mean "key"?)', { policy: undefined, limits: [{ policy: "1/minute", kye: () => "x" }] }],
    ["limits[0]", { policy: undefined, limits: ["1/minute"] }],
  ])("a %s that no type would let by: %o", (field, options) => {
    const all = { policy: "10/minute", ...(options as object) }
    expect(() => rateLimit(ok, all)).toThrow(RangeError)
    expect(() => rateLimit(ok, all)).toThrow(field)
    expect(() => guardRequests(all)).toThrow(field)
  })

  const secret = "a secret of 23 bytes..."
  const localLimiter = () => new RateLimiter("1/minute")
  test.each<[string, string, Partial<RateLimitOptions<[]>>, readonly Partial<RateLimitOptions<[]>>[]]>([
    ["localLimiter", 'failMode "local"', { localLimiter }, [{}, { failMode: "open" }, { failMode: "closed" }]],
    [
      "maxKeys",
      "limits in memory",
      { maxKeys: 5 },
      [{ limiter: localLimiter }, { limiter: localLimiter, failMode: "local", localLimiter }],
    ],
    ["failClosedStatus", 'failMode "closed" or "local"', { failClosedStatus: 429 }, [{}, { failMode: "open" }]],
    ["legacyReset", 'headers "legacy"', { legacyReset: "delta" }, [{}, { headers: "draft-7" }, { headers: false }]],
    ["quotaUnit", 'headers "draft-11"', { quotaUnit: "bytes" }, [{ headers: ["draft-7", "legacy"] }]],
    ["partitionSecret", 'headers "draft-11"', { partitionSecret: secret }, [{ headers: "legacy" }, { headers: false }]],
  ])("a %s that does nothing, since it is for %s", (name, what, given, others) => {
    for (const other of others) {
      const make = () => rateLimit(ok, { policy: "10/minute", ...other, ...given })
      expect(make).toThrow(new RangeError(`Cannot rate limit: ${name} is given, allowed is that only with ${what}.`))
      // What is undefined is as if it were left out.
      const undone = Object.fromEntries(Object.keys(given).map((key) => [key, undefined]))
      expect(() => rateLimit(ok, { policy: "10/minute", ...other, ...undone })).not.toThrow()
    }
  })

  test.each<Partial<RateLimitOptions<[]>>>([
    { localLimiter, failMode: "local" },
    { failClosedStatus: 429, failMode: "local" },
    { failClosedStatus: 429, failMode: "closed" },
    { legacyReset: "delta", headers: "legacy" },
    { legacyReset: "epoch", headers: ["draft-7", "legacy"] },
    { quotaUnit: "bytes", partitionSecret: secret },
    { quotaUnit: "bytes", partitionSecret: secret, headers: ["legacy", "draft-11"] },
  ])("nothing of options that are used: %j", (options) => {
    expect(() => rateLimit(ok, { policy: "10/minute", ...options })).not.toThrow()
  })

  test("options that are none, and a handler that is none", () => {
    for (const options of [undefined, null, "10/minute", ["10/minute"]]) {
      expect(() => rateLimit(ok, options as never)).toThrow(RangeError)
    }
    for (const handler of [undefined, null, { fetch: ok }]) {
      expect(() => rateLimit(handler as never, { policy: "10/minute" })).toThrow("handler")
    }
  })

  test("an option that a prototype has, too", () => {
    const options = Object.assign(Object.create({ skip: true }), { policy: "10/minute" })
    expect(() => rateLimit(ok, options)).toThrow("skip")
  })

  test("a policy that cannot be", () => {
    expect(() => rateLimit(ok, { policy: "10/fortnight" })).toThrow(PolicyError)
  })

  test("nothing when all is left out but the policy", () => {
    expect(() => rateLimit(ok, { policy: "10/minute", key: clientAddress() })).not.toThrow()
  })
})
