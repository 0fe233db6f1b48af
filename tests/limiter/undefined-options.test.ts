import { afterAll, describe, expect, test } from "vitest"
import { type HitStoreOptions, SluiceStore } from "../../src/adapters/express-rate-limit.js"
import { type EventOptions, type PacedFetchOptions, pacedFetch, SluiceClient } from "../../src/client/index.js"
import type { SluiceClientOptions } from "../../src/client/sluice-client.js"
import {
  type ConfiguredCheck,
  type ConfiguredOptions,
  type FromConfigOptions,
  fromConfig,
  limitsByConfig,
  type ParseConfigOptions,
  parseConfig,
  rateLimitOptions,
} from "../../src/config/index.js"
import { type OpenLimiterOptions, openLimiter } from "../../src/embedded/index.node.js"
import {
  type AccessList,
  apiKey,
  clientAddress,
  type Jitter,
  limitMessages,
  type MessageLimitOptions,
  namedLimiters,
  type RateLimitFieldsOptions,
  type RateLimitOptions,
  rateLimit,
  rateLimitFields,
  retryAfterSeconds,
} from "../../src/http/index.js"
import {
  type AcquireOptions,
  acquire,
  type CheckItem,
  type CheckOptions,
  checkAll,
  type LimitChoice,
  limited,
  type Page,
  parsePolicy,
  RateLimiter,
  type RateLimiterOptions,
  type RuleInput,
  type TopOptions,
  WaitingLine,
  type WrapOptions,
  wrap,
} from "../../src/index.js"
import { MemoryLimits, type MemoryLimitsOptions } from "../../src/limiter/index.js"
import {
  FixedWindow,
  type FixedWindowOptions,
  Gcra,
  type GcraOptions,
  TokenBucket,
  type TokenBucketOptions,
} from "../../src/limiter/single/index.js"
import { removeFolders, temporaryFolder } from "../embedded/temporary-folder.js"

/** Every option that may be left out, there and `undefined`. */
type Unset<Options> = {
  readonly [Name in keyof Options as Record<never, never> extends Pick<Options, Name> ? Name : never]-?: undefined
}

const OF_CHECK: Unset<CheckOptions> = { cost: undefined, id: undefined }
const OF_LIMIT: Unset<LimitChoice> = { limit: undefined }
const OF_CHOSEN = { ...OF_CHECK, ...OF_LIMIT }
const OF_ITEM: Unset<CheckItem> = OF_CHOSEN
const OF_PAGE: Unset<Page> = { after: undefined, count: undefined }
const OF_TOP: Unset<TopOptions> = { count: undefined, ...OF_LIMIT }
const OF_ACQUIRE: Unset<AcquireOptions> = { cost: undefined, timeout: undefined, signal: undefined }
const OF_WRAP: Unset<WrapOptions<never, never>> = {
  key: undefined,
  cost: undefined,
  limit: undefined,
  skipFailed: undefined,
}
const OF_MEMORY: Unset<Omit<MemoryLimitsOptions, "limits">> = {
  clock: undefined,
  maxKeys: undefined,
  onFull: undefined,
  stats: undefined,
  names: undefined,
  history: undefined,
}
const OF_FIELDS: Unset<RateLimitFieldsOptions> = { headers: undefined, legacyReset: undefined, quotaUnit: undefined }
const OF_LIST: Unset<AccessList> = { addresses: undefined, keys: undefined }
const OF_ADDRESS = { header: undefined, trustedHops: undefined, ipv6Prefix: undefined }

const LIMITS = { default: "10/day", login: "5/day" }
const TEXT = `
  limits.default = { policy = "10/day", cost = 2 }
  analytics.enabled = true
`

describe("options that are undefined are as if they were left out", () => {
  afterAll(removeFolders)

  test("of a limiter of one limit", async () => {
    const options: Unset<RateLimiterOptions> = {
      clock: undefined,
      maxKeys: undefined,
      onFull: undefined,
      stats: undefined,
      maxWaiting: undefined,
    }
    const limiter = new RateLimiter("10/day", options)
    expect(limiter.check("a", OF_CHECK).remaining).toBe(9)
    expect(limiter.peek("a", OF_CHECK).remaining).toBe(9)
    expect(limiter.allow("a", OF_CHECK)).toBe(true)
    expect(limiter.checkAll([{ key: "a", ...OF_ITEM }]).decisions[0]?.remaining).toBe(7)
    expect(checkAll([{ limiter, key: "a", cost: undefined }]).decisions[0]?.remaining).toBe(6)
    expect((await limiter.acquire("a", OF_ACQUIRE)).decision.remaining).toBe(5)
    const line = new WaitingLine(limiter, { maxWaiting: undefined })
    expect((await line.acquire("a", OF_ACQUIRE)).decision.remaining).toBe(4)
    expect((await acquire(limiter, "a", OF_ACQUIRE)).decision.remaining).toBe(3)
  })

  test("of a wrapped function and a method, which count under their names", () => {
    const limiter = new RateLimiter("2/day")
    expect(wrap(limiter, function send() {}, OF_WRAP)()).toBeUndefined()
    const context = { kind: "method", name: "send" } as ClassMethodDecoratorContext<unknown, () => void>
    expect(limited<unknown, [], () => void>(limiter, OF_WRAP)(() => {}, context)()).toBeUndefined()
    expect(limiter.peek("send").remaining).toBe(0)
  })

  test("of several limits, in memory, in a folder and as a configuration says", async () => {
    const ofStore: Unset<OpenLimiterOptions> = {
      lockTimeout: undefined,
      sync: undefined,
      flushEveryMs: undefined,
      flushEveryRecords: undefined,
      aheadUnits: undefined,
      policy: undefined,
      limits: undefined,
      clock: undefined,
      names: undefined,
      keepStats: undefined,
      historySegments: undefined,
      compactBytes: undefined,
      closeOn: undefined,
      onCommit: undefined,
      onFailure: undefined,
    }
    new MemoryLimits({ limits: undefined, ...OF_MEMORY })
    const memory = new MemoryLimits({ ...OF_MEMORY, limits: LIMITS, stats: true, names: 100, history: 10 })
    await using store = await openLimiter({ path: temporaryFolder(), ...ofStore })
    await store.define("default", LIMITS.default)
    const config = parseConfig('limits.default = { policy = "10/day", cost = 1 }')
    const behind = new MemoryLimits({ limits: LIMITS, stats: true, names: 100, history: 10 })
    for (const limits of [memory, store, limitsByConfig(behind, config)]) {
      expect((await limits.check("a", OF_CHOSEN)).remaining).toBe(9)
      expect((await limits.peek("a", OF_CHOSEN)).remaining).toBe(9)
      expect((await limits.checkAll([{ key: "a", ...OF_ITEM }])).decisions[0]?.remaining).toBe(8)
      await limits.charge("a", 1, OF_LIMIT)
      expect((await acquire(limits, "a", { ...OF_ACQUIRE, ...OF_LIMIT })).decision.remaining).toBe(6)
      await wrap(limits, () => {}, { ...OF_WRAP, key: "a" })()
      expect((await limits.status("a", OF_LIMIT)).remaining).toBe(5)
      expect((await limits.stats("a", OF_LIMIT)).totalAllowed).toBe(4)
      expect(await limits.list({ ...OF_LIMIT, ...OF_PAGE })).toEqual(["a"])
      expect((await limits.limits(OF_PAGE)).length).toBeGreaterThan(0)
      expect(await limits.top({ by: "allowed", ...OF_TOP })).toHaveLength(1)
      expect((await limits.history("a", OF_TOP))[0]?.event).toBe("admit")
      expect((await limits.explain("a", { cost: undefined, ...OF_LIMIT })).decision.remaining).toBe(5)
    }
  })

  test("of a configuration", () => {
    const ofParsing: Unset<ParseConfigOptions> = { env: undefined }
    const options: Unset<FromConfigOptions> = {
      ...ofParsing,
      ...OF_MEMORY,
      log: undefined,
      onSample: undefined,
      random: undefined,
    }
    const ofCheck: Unset<ConfiguredCheck> = { ...OF_CHOSEN, tenant: undefined, tier: undefined }
    expect(parseConfig(TEXT, ofParsing)).toEqual(parseConfig(TEXT))
    const limits = fromConfig(TEXT, options)
    expect(limits.check("a", ofCheck).remaining).toBe(8)
    expect(limits.peek("a", ofCheck).remaining).toBe(8)
    expect(limits.of("default", { tenant: undefined, tier: undefined }).check("a", OF_CHECK).remaining).toBe(6)
    // Analytics are on.
    expect(limits.limits.top({ by: "allowed" })).toHaveLength(1)
  })

  test("of the middleware", async () => {
    const ofRequests: Unset<RateLimitOptions> = {
      policy: undefined,
      ...{ key: undefined, cost: undefined, name: undefined, limits: undefined, skip: undefined, allow: undefined },
      ...{ deny: undefined, address: undefined, limiter: undefined, maxKeys: undefined, status: undefined },
      ...{ jitter: undefined, partitionSecret: undefined, onLimited: undefined, failMode: undefined },
      ...{ failClosedStatus: undefined, timeoutMs: undefined, localLimiter: undefined, delay: undefined },
      ...{ skipFailedRequests: undefined, skipSuccessfulRequests: undefined, penalty: undefined, shadow: undefined },
      ...{ onDecision: undefined, onError: undefined, clock: undefined },
      ...OF_FIELDS,
    }
    const ofConfig: Unset<ConfiguredOptions> = {
      ...{ tenant: undefined, tier: undefined, key: undefined, address: undefined, onDecision: undefined },
      ...{ onError: undefined, log: undefined, clock: undefined, onSample: undefined, random: undefined },
    }
    const told = async (options: RateLimitOptions) => {
      const handler = rateLimit(() => new Response("ok"), options)
      const { status, headers } = await handler(new Request("http://localhost/"))
      return [status, headers.get("RateLimit-Policy")]
    }
    const ofPolicy = [200, '"default";q=10;w=86400']
    expect(await told({ ...ofRequests, policy: "10/day" })).toEqual(ofPolicy)
    expect(
      await told({
        ...ofRequests,
        limits: [{ policy: "10/day", key: undefined, cost: undefined, name: undefined }],
      }),
    ).toEqual(ofPolicy)
    const lists = { allow: OF_LIST, deny: OF_LIST, address: OF_ADDRESS }
    expect(await told({ ...ofRequests, ...lists, policy: "10/day" })).toEqual(ofPolicy)
    const counting = { limiter: namedLimiters(new MemoryLimits(), { redefine: undefined }) }
    expect(await told({ ...ofRequests, ...counting, policy: "10/day" })).toEqual(ofPolicy)
    expect(await told(rateLimitOptions(parseConfig(TEXT), "default", ofConfig))).toEqual(ofPolicy)
  })

  test("of its parts", async () => {
    const ofMessages: Unset<MessageLimitOptions> = {
      ...{ cost: undefined, limiter: undefined, onLimited: undefined, maxPending: undefined, onDecision: undefined },
      ...{ onError: undefined, failMode: undefined, timeoutMs: undefined, localLimiter: undefined, maxKeys: undefined },
      clock: undefined,
    }
    const ofJitter: Unset<Jitter> = { random: undefined }
    limitMessages({ policy: "10/day", ...ofMessages })
    const request = new Request("http://localhost/", { headers: { "X-API-Key": "secret" } })
    expect(await apiKey({ header: undefined })(request)).toBe(await apiKey()(request))
    expect(await clientAddress(OF_ADDRESS)(request, { remoteAddress: "192.0.2.1" })).toBe("ip:192.0.2.1")
    const { policy, ...limiter } = { policy: parsePolicy("10/day"), asked: new RateLimiter("10/day") }
    const ofContext = { ...OF_FIELDS, partitionKey: undefined }
    const decision = limiter.asked.check("a")
    expect(rateLimitFields(policy, decision, 0, ofContext)).toEqual(rateLimitFields(policy, decision, 0))
    expect(retryAfterSeconds(1, { maxSeconds: 1, ...ofJitter })).toBeLessThanOrEqual(2)
  })

  test("of a client", async () => {
    const ofClient: Unset<Omit<SluiceClientOptions, "fetch">> = {
      token: undefined,
      timeoutMs: undefined,
      retries: undefined,
      retryDelayMs: undefined,
    }
    const ofEvents: Unset<EventOptions> = {
      ...{ outcome: undefined, limit: undefined, replay: undefined, follow: undefined, signal: undefined },
    }
    const ofPace: Unset<PacedFetchOptions> = {
      ...{ key: undefined, cost: undefined, pacing: undefined, retries: undefined, maxWaitMs: undefined },
    }
    const asked: string[] = []
    const client = new SluiceClient("http://localhost", {
      ...ofClient,
      fetch: async (url, { body }) => {
        asked.push(`${new URL(url).pathname} ${String(body).replace(/"id":"[^"]+"/, '"id":"…"')}`)
        return new Response("{}", { status: 404 })
      },
    })
    const ofCall = { ...OF_CHOSEN, signal: undefined }
    for (const call of [
      () => client.check("a", ofCall),
      () => client.peek("a", ofCall),
      () => client.checkAll([{ key: "a", ...OF_ITEM }], { signal: undefined }),
      () => client.events(ofEvents).next(),
    ]) {
      await expect(call()).rejects.toThrow("its status is 404")
    }
    expect(asked).toEqual([
      '/v1/check {"key":"a","id":"…"}',
      '/v1/peek {"key":"a"}',
      '/v1/check-all {"items":[{"key":"a"}]}',
      "/v1/events undefined",
    ])
    expect((await pacedFetch(async () => new Response("ok"), ofPace)("http://localhost/")).status).toBe(200)
  })

  test("of a rule, of one algorithm and of a store for another middleware", async () => {
    const ofRule: Unset<RuleInput> = {
      ...{ algorithm: undefined, burst: undefined, refill: undefined, anchor: undefined, offset: undefined },
      ...{ block: undefined, name: undefined },
    }
    const rule = { limit: 10, period: "1m" }
    expect(parsePolicy({ ...rule, ...ofRule })).toEqual(parsePolicy(rule))
    const ofGcra: Unset<GcraOptions> = { burst: undefined, clock: undefined }
    const ofBucket: Unset<TokenBucketOptions> = { capacity: undefined, refill: undefined, clock: undefined }
    const ofWindow: Unset<FixedWindowOptions> = { anchor: undefined, offset: undefined, clock: undefined }
    expect(new Gcra({ rate: 10, ...ofGcra }).burst).toBe(10)
    expect(new TokenBucket({ rate: 10, ...ofBucket }).capacity).toBe(10)
    expect(new FixedWindow({ limit: 10, window: "1m", ...ofWindow }).available).toBe(10)
    const ofHits: Unset<HitStoreOptions> = {
      ...{ limiter: undefined, algorithm: undefined, prefix: undefined, maxKeys: undefined, clock: undefined },
    }
    const store = new SluiceStore(ofHits)
    store.init({ windowMs: 1_000, limit: 2 } as Parameters<typeof store.init>[0])
    expect((await store.increment("a")).totalHits).toBe(1)
  })
})
