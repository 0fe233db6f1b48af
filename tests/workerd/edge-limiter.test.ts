import { createExecutionContext, evictDurableObject } from "cloudflare:test"
import { env } from "cloudflare:workers"
import { describe, expect, test } from "vitest"
import { acquire } from "../../src/limiter/acquire.js"
import { copyDecision } from "../../src/limiter/copy-decision.js"
import { ManualClock } from "../../src/types/clock.js"
import {
  checkAcross,
  DenialCache,
  type DenialCacheOptions,
  EdgeLimiter,
  type EdgeLimiterOptions,
  type LeaseOptions,
  rateLimit,
} from "../../worker/sluice-worker.js"
import { setClock } from "./clocked-limiter-object.js"
import { clockedLimiter, freshName, START_MS } from "./objects.js"

describe("EdgeLimiter", () => {
  test("check() tells the whole decision, as plain data with its receipt", async () => {
    const { limiter } = clockedLimiter("10/minute burst 5 as api")
    const decision = await limiter.check("a", { cost: 2 })
    expect(decision).toEqual({
      allowed: true,
      key: "a",
      policy: "api",
      algorithm: "gcra",
      limit: 10,
      remaining: 3,
      cost: 2,
      retryAfterMs: 0,
      resetAfterMs: 12_000,
      delayMs: 0,
      reason: "ok",
      receipt: { id: expect.any(String), key: "a", policy: "api", cost: 2, chargedAtMs: START_MS },
    })
    expect(copyDecision(decision)).toEqual(decision)
    expect(structuredClone(decision)).toEqual(decision)
    expect(await limiter.check("a", { cost: 4 })).toEqual({
      ...decision,
      allowed: false,
      cost: 4,
      reason: "limit",
      retryAfterMs: 6_000,
      receipt: undefined,
    })
  })

  test("keeps the keys and the names of limits apart, whatever is in them", async () => {
    const clock = new ManualClock(START_MS)
    const keys = ["a", "b", "a\n", "\na", "__proto__", "constructor", "ключ", "🔑", " ", "x".repeat(512)]
    const names = [freshName(), `${freshName()} `, "__proto__"]
    for (const name of names) setClock(name, clock)
    for (const name of names) {
      const limiter = new EdgeLimiter(env.CLOCKED_LIMITER, "1/day", { name })
      for (const key of keys) expect(await limiter.allow(key)).toBe(true)
      for (const key of keys) expect(await limiter.allow(key)).toBe(false)
    }
  })

  test.each([[undefined], [null], [{}], ["LIMITER"]])("refuses %j as its binding", (binding) => {
    expect(() => new EdgeLimiter(binding as never, "1/second")).toThrow(
      /^Cannot make a limiter: binding is .*, allowed is a binding of LimiterObject\.$/,
    )
  })

  test.each([[{ maxAgeMs: -1 }], [true], [null]])("refuses %j as its cache of denials", (denialCache) => {
    expect(() => new EdgeLimiter(env.LIMITER, "1/second", { denialCache: denialCache as never })).toThrow(
      /^Cannot make a limiter: denialCache is .*, allowed is false, or a DenialCache\.$/,
    )
  })

  test.each([
    ["jurisdiction", "europe", '"eu" or "fedramp" or "fedramp-high" or "us"'],
    ["locationHint", "mars", '"wnam" or .* or "oc" or "afr" or "me"'],
  ])("refuses a %s that there is none of, as rateLimit() does at once", (option, value, allowed) => {
    const placed = { [option]: value } as EdgeLimiterOptions
    const message = new RegExp(`^Cannot make a limiter: ${option} is "${value}", allowed is ${allowed}\\.$`)
    expect(() => new EdgeLimiter(env.LIMITER, "1/day", placed)).toThrow(message)
    expect(() => rateLimit(() => new Response("hello"), { policy: "1/day", ...placed })).toThrow(message)
  })

  test("says why it cannot be made where the platform has no jurisdictions, as local workerd", () => {
    expect(() => new EdgeLimiter(env.LIMITER, "1/day", { jurisdiction: "eu" })).toThrow(
      new RangeError(
        'Cannot make a limiter: jurisdiction is "eu", ' +
          "allowed is one that the platform has: under wrangler dev there is none, so leave it out there.",
        { cause: expect.any(Error) },
      ),
    )
  })

  test("takes options that are undefined as if they were left out, and so does rateLimit()", async () => {
    type Unset<Options> = { readonly [Name in keyof Options]-?: undefined }
    const placing: Unset<EdgeLimiterOptions> = {
      ...{ name: undefined, tenant: undefined, shards: undefined, owner: undefined, sync: undefined },
      ...{ denialCache: undefined, lease: undefined, timeoutMs: undefined, background: undefined },
      ...{ locationHint: undefined, jurisdiction: undefined },
    }
    const lease: Unset<LeaseOptions> = { units: undefined, ttl: undefined }
    const ofCache: Unset<DenialCacheOptions> = { maxKeys: undefined, maxAgeMs: undefined, clock: undefined }
    const policy = "9/day as left-out"
    const denialCache = new DenialCache(ofCache)
    const [plain, leased] = [placing, { ...placing, lease, denialCache }].map(
      (options) => new EdgeLimiter(env.LIMITER, policy, options),
    )
    expect((await plain!.check("a", { cost: undefined, id: undefined })).remaining).toBe(8)
    expect((await plain!.checkAll([{ key: "a", cost: undefined, id: undefined }])).decisions[0]?.remaining).toBe(7)
    expect((await checkAcross([{ limiter: plain!, key: "a", cost: undefined, id: undefined }])).allowed).toBe(true)
    expect((await leased!.peek("a")).remaining).toBe(6)
    const { background: _background, ...middleware } = placing
    const limited = rateLimit<Cloudflare.Env>(() => new Response("hello"), {
      ...{ ...middleware, address: undefined, binding: undefined, key: undefined, cost: undefined, delay: undefined },
      policy,
    })
    const headers = { "CF-Connecting-IP": "192.0.2.1" }
    const answer = await limited(new Request("http://localhost/", { headers }), env, createExecutionContext())
    expect(answer.headers.get("RateLimit")).toContain("r=8")
    expect((await plain!.peek("ip:192.0.2.1")).remaining).toBe(8)
  })

  test("refuses what its verbs cannot use, before any call", async () => {
    const { limiter } = clockedLimiter("10/minute")
    const { receipt } = await limiter.check("a")
    const { calls } = limiter
    const wrong = limiter as unknown as Record<string, (...values: unknown[]) => Promise<unknown>>
    for (const [verb, values, told] of [
      ["check", ["a", { costs: 5 }], 'check: option is "costs", allowed is cost, id'],
      ["check", ["a", 5], "check: options is 5, allowed is an object"],
      ["check", ["a", { cost: 1.5 }], 'check key "a": cost is 1.5, allowed is a whole number from 0 to 2147483648'],
      ["allow", ["a", { id: "x", key: "b" }], 'check: option is "key", allowed is cost, id'],
      ["peek", ["a", "1"], 'check: options is "1", allowed is an object'],
      ["checkAll", [null], "check all: items is null, allowed is a list"],
      ["checkAll", [[null]], "check all: items[0] is null, allowed is an object"],
      [
        "allowAll",
        [[{ key: "a", costs: 2 }]],
        'check all: option is "items[0].costs", allowed is key, cost, limit, id',
      ],
      ["checkAll", [[{ key: "a" }], { ids: "x" }], 'check all: option is "ids", allowed is id'],
      ["allowAll", [[{ key: "a", id: "x" }], { id: "" }], 'check: id is "", allowed is 1 to 64 printable ASCII'],
      ["charge", ["a", 1, { limit: "other" }], 'charge: option is "limit", allowed is none.'],
      ["block", ["a", "1s", { limit: "other" }], 'block: option is "limit", allowed is none.'],
      ["unblock", ["a", { limit: "other" }], 'unblock: option is "limit", allowed is none.'],
      ["reset", ["a", { limit: "other" }], 'reset: option is "limit", allowed is none.'],
      ["status", ["a", { limit: "other" }], 'tell the status: option is "limit", allowed is none.'],
      ["stats", ["a", { limit: "other" }], 'tell statistics: option is "limit", allowed is none.'],
      ["charge", ["a", Number.NaN], "take units: units is NaN, allowed is a whole number from 0 to 2147483648"],
      ["refund", [undefined], "refund: receipt is undefined, allowed is the receipt of an admission"],
      ["refund", [receipt, 2], "refund: units is 2, allowed is a whole number from 0 to 1"],
      ["settle", [undefined, 1], "settle: receipt is undefined, allowed is the receipt of an admission"],
      ["settle", [receipt, -1], "settle: cost is -1, allowed is a whole number from 0 to 2147483648"],
    ] as const) {
      const error: unknown = await wrong[verb]!(...values).catch((thrown: unknown) => thrown)
      expect(error, verb).toBeInstanceOf(RangeError)
      expect((error as Error).message, verb).toMatch(`Cannot ${told}`)
    }
    expect(limiter.calls).toBe(calls)
    expect(await limiter.allowAll([{ key: "a", cost: 9 }])).toBe(true)
    expect(await limiter.allowAll([{ key: "a" }])).toBe(false)
    expect(await limiter.allowAll([{ key: "a", limit: limiter.policy.name }])).toBe(false)
    await expect(limiter.allowAll([{ key: "a", limit: "other" }])).rejects.toThrow("this limiter has one limit")
  })

  test("is named after its policy's only rule, else after the policy", async () => {
    const names: string[] = []
    const options: DurableObjectNamespaceGetDurableObjectOptions[] = []
    const recording = {
      getByName(name: string, option: DurableObjectNamespaceGetDurableObjectOptions) {
        names.push(name)
        options.push(option)
        return { status: async () => ({}) }
      },
    } as unknown as typeof env.LIMITER
    const made = (policy: string, option?: EdgeLimiterOptions) => new EdgeLimiter(recording, policy, option).status("a")
    await made("10/minute as api")
    await made("10/minute")
    await made("10/minute; 100/hour")
    await made("10/minute as default-2")
    await made("10/minute as api", { name: "other", locationHint: "weur" })
    expect(names).toEqual([
      "api\na",
      `${new EdgeLimiter(recording, "10/minute").policy.canonical}\na`,
      `${new EdgeLimiter(recording, "10/minute; 100/hour").policy.canonical}\na`,
      `${new EdgeLimiter(recording, "10/minute as default-2").policy.canonical}\na`,
      "other\na",
    ])
    expect(options).toEqual([{}, {}, {}, {}, { locationHint: "weur" }])
  })

  test("a wait of retryAfterMs is enough, one millisecond less is not", async () => {
    const { clock, limiter } = clockedLimiter("3/minute")
    await limiter.check("a", { cost: 3 })
    const { retryAfterMs } = await limiter.check("a", { cost: 2 })
    expect(retryAfterMs).toBe(40_000)
    clock.advance(retryAfterMs - 1)
    expect(await limiter.allow("a", { cost: 2 })).toBe(false)
    clock.advance(1)
    expect(await limiter.allow("a", { cost: 2 })).toBe(true)
  })

  test("refund() and settle() close a receipt once, before and after an eviction", async () => {
    const { limiter, object } = clockedLimiter("100/day fixed_window")
    const { receipt: first } = await limiter.check("a", { cost: 40 })
    const { receipt: second } = await limiter.check("a", { cost: 10 })
    const { receipt: third } = await limiter.check("a", { cost: 10 })
    await limiter.refund(first!, 15)
    await limiter.refund(first!)
    expect(await limiter.status("a")).toMatchObject({ remaining: 55 })
    await evictDurableObject(object())
    await limiter.refund(first!)
    await limiter.settle(first!, 0)
    expect(await limiter.status("a")).toMatchObject({ remaining: 55 })
    await limiter.settle(second!, 4)
    await evictDurableObject(object())
    await limiter.settle(second!, 0)
    expect(await limiter.status("a")).toMatchObject({ remaining: 61 })
    await limiter.settle(third!, 30)
    await evictDurableObject(object())
    await limiter.settle(third!, 30)
    expect(await limiter.status("a")).toMatchObject({ remaining: 41 })
    expect(await object().verify()).toMatchObject({ replayEqualsLive: true })
  })

  test("refund() of many receipts at once gives each back once", async () => {
    const { limiter } = clockedLimiter("100/day fixed_window")
    const decisions = await Promise.all(Array.from({ length: 50 }, () => limiter.check("a", { cost: 2 })))
    await Promise.all(decisions.flatMap(({ receipt }) => [limiter.refund(receipt!), limiter.refund(receipt!)]))
    expect(await limiter.status("a")).toMatchObject({ remaining: 100 })
  })

  test("block(), unblock() and reset() last over an eviction", async () => {
    const { clock, limiter, object } = clockedLimiter("10/day")
    await limiter.check("a", { cost: 10 })
    await limiter.block("a", "2h")
    await evictDurableObject(object())
    clock.advance(3_600_000)
    expect(await limiter.check("a")).toMatchObject({ allowed: false, reason: "blocked" })
    expect(await limiter.status("a")).toMatchObject({ blockedForMs: 3_600_000 })
    expect(await limiter.unblock("a")).toBe(true)
    expect(await limiter.unblock("a")).toBe(false)
    expect(await limiter.check("a")).toMatchObject({ allowed: false, reason: "limit" })
    expect(await limiter.reset("a")).toBe(true)
    await evictDurableObject(object())
    expect(await limiter.check("a", { cost: 10 })).toMatchObject({ allowed: true })
  })

  test("tells an admission again under its id where its cost is more than the capacity by now", async () => {
    const { limiter, name, object } = clockedLimiter("10/minute")
    const asked = { cost: 8, id: "x" }
    const { receipt } = await limiter.check("a", asked)
    const tighter = new EdgeLimiter(env.CLOCKED_LIMITER, "5/minute", { name, denialCache: false })
    expect(await tighter.peek("a", asked)).toMatchObject({ allowed: true })
    expect(await tighter.check("a", asked)).toMatchObject({ allowed: true, limit: 5, receipt: { id: receipt!.id } })
    const { decisions } = await tighter.checkAll([{ key: "a", ...asked }])
    expect(decisions).toMatchObject([{ allowed: true, receipt: { id: receipt!.id } }])
    for (const act of ["check", "peek"] as const) {
      const error = { name: "CostError", cost: 8, maximum: 5 }
      await expect(tighter[act]("a", { ...asked, id: "y" })).rejects.toMatchObject(error)
    }
    expect(await object().report()).toMatchObject({ admitted: 3, denied: 0 })
  })

  test("charge() puts a key into debt that time pays back", async () => {
    const { clock, limiter } = clockedLimiter("10/second")
    await limiter.charge("a", 30)
    expect(await limiter.check("a")).toMatchObject({ allowed: false, remaining: 0, retryAfterMs: 2_100 })
    clock.advance(2_100)
    expect(await limiter.allow("a")).toBe(true)
  })

  test("stats() and status() tell what happened", async () => {
    const { clock, limiter } = clockedLimiter("10/day; 5/hour as hourly")
    await limiter.check("a", { cost: 5 })
    clock.advance(1_000)
    await limiter.check("a", { cost: 2 })
    expect(await limiter.stats("a")).toEqual({
      totalAllowed: 1,
      totalDenied: 1,
      totalAllowedCost: 5,
      totalDeniedCost: 2,
      lastAllowedAt: START_MS,
      lastDeniedAt: START_MS + 1_000,
      lastResetAt: null,
    })
    const status = await limiter.status("a")
    expect(status).toMatchObject({ key: "a", policy: "hourly", remaining: 0, blockedForMs: 0 })
    expect(status.rules.map(({ policy, remaining }) => ({ policy, remaining }))).toEqual([
      { policy: "10-per-1d", remaining: 5 },
      { policy: "hourly", remaining: 0 },
    ])
  })

  test("acquire() charges nothing for what a leaky bucket would hold too long, and asks once", async () => {
    const { limiter } = clockedLimiter("10/second leaky_bucket")
    await limiter.check("a", { cost: 5 })
    const { calls } = limiter
    for (const timeout of [0, 499]) {
      await expect(acquire(limiter, "a", { timeout })).rejects.toMatchObject({ timeoutMs: timeout, retryAfterMs: 500 })
    }
    expect(limiter.calls - calls).toBe(2)
    expect(await limiter.stats("a")).toMatchObject({ totalAllowed: 1, totalAllowedCost: 5 })
  })

  test("peek() and cost 0 change nothing", async () => {
    const { limiter } = clockedLimiter("2/day")
    for (let asked = 0; asked < 5; asked++) {
      expect(await limiter.peek("a", { cost: 2 })).toMatchObject({ allowed: true, remaining: 2 })
      expect(await limiter.check("a", { cost: 0 })).toMatchObject({ allowed: true, remaining: 2 })
    }
  })
})
