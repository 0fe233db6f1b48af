import { describe, expect, test } from "vitest"
import type { GroupDecision } from "../../src/config/group-decision.js"
import { fromConfig, parseConfig, rateLimitOptions, type Whose } from "../../src/config/index.js"
import { rateLimit } from "../../src/http/index.js"
import { KeyError, LimitNotFound, ManualClock, type Policy, RateLimiter } from "../../src/index.js"
import { MemoryLimits } from "../../src/limiter/memory-limits.js"
import type { Decision } from "../../src/types/decision.js"

const TEXT = `
key_prefix = "p:"

[limits.user]
policy = "10/minute"
key = "header:X-User"

[limits.org]
policy = ["12/minute", "100/hour"]
key = "header:X-Org"
cost = 2

[groups.api]
limits = ["user", "org"]

[groups.api.penalty]
status = [401, 403]
units = 3

[groups.api.deny]
keys = ["header:x-user=mallory"]

[limits.shaped]
policy = "1/second leaky_bucket burst 5"
delay = "1500ms"

[allow]
keys = ["header:x-org=partner"]
addresses = ["192.0.2.0/24"]

[deny]
addresses = ["198.51.100.0/24"]

[tiers.pro.limits]
user = "50/minute"
`
const config = parseConfig(TEXT)

const from = (headers: Record<string, string>, address = "203.0.113.1") => {
  return new Request("http://localhost/", { headers: { "X-Org": "acme", "X-Real-IP": address, ...headers } })
}

describe("rateLimitOptions() of a group", () => {
  test("tells rules of one name apart by their limits, where tiers choose", async () => {
    const hourly = { limit: 9, period: "1h", name: "hourly" }
    const limits = { user: "5/hour", org: "5/hour" }
    const tiers = { pro: { limits: { user: hourly, org: hourly } } }
    const tiered = parseConfig({ limits, groups: { both: { limits: ["user", "org"] } }, tiers })
    const options = rateLimitOptions(tiered, "both", { tier: () => "pro" })
    const { headers } = await rateLimit(() => new Response("ok"), { ...options, clock: new ManualClock(0) })(from({}))
    expect(headers.get("RateLimit-Policy")).toBe('"user-hourly";q=9;w=3600, "org-hourly";q=9;w=3600')
  })

  const make = (status = 200, over: object = {}) => {
    const clock = new ManualClock(0)
    return rateLimit(() => new Response("ok", { status }), {
      ...rateLimitOptions(config, "api", { address: { header: "X-Real-IP" }, ...over }),
      clock,
    })
  }
  const fieldsOf = async (response: Response | Promise<Response>) => (await response).headers.get("RateLimit")

  test("charges every limit its own cost under its own key, and all or none", async () => {
    const handler = make()
    expect(await fieldsOf(handler(from({ "X-User": "a" })))).toBe(
      '"user";r=9;t=6, "org-12-per-1m";r=10;t=10, "org-100-per-1h";r=98;t=72',
    )
    for (let times = 0; times < 5; times++) expect((await handler(from({ "X-User": "a" }))).status).toBe(200)
    const denied = await handler(from({ "X-User": "a" }))
    expect(denied.status).toBe(429)
    expect(((await denied.json()) as { "violated-policies": string[] })["violated-policies"]).toEqual(["org-12-per-1m"])
    // The user was not charged for what the organisation denied.
    expect(await fieldsOf(handler(from({ "X-User": "a", "X-Org": "other" })))).toContain('"user";r=3;')
  })

  test("takes each limit's policy by tier", async () => {
    const handler = make(200, { tier: () => "pro" })
    expect(await fieldsOf(handler(from({ "X-User": "a" })))).toMatch(/^"user";r=49;t=2, "org-12-per-1m";r=10/)
  })

  test("charges the penalty of a status to every limit", async () => {
    const handler = make(401)
    await handler(from({ "X-User": "a" }))
    await new Promise((resolve) => setImmediate(resolve))
    expect(await fieldsOf(handler(from({ "X-User": "a" })))).toMatch(/^"user";r=5;t=30, "org-12-per-1m";r=5;/)
    const other = make(404)
    await other(from({ "X-User": "a" }))
    await new Promise((resolve) => setImmediate(resolve))
    expect(await fieldsOf(other(from({ "X-User": "a" })))).toMatch(/^"user";r=8;/)
  })

  test("asks its own lists and those of all limits, by address and by key without the prefix", async () => {
    const handler = make()
    const answer = async (headers: Record<string, string>, address?: string) => {
      const { status, headers: fields } = await handler(from({ "X-User": "a", ...headers }, address))
      return [status, fields.has("RateLimit")]
    }
    expect(await answer({})).toEqual([200, true])
    expect(await answer({ "X-Org": "partner" })).toEqual([200, false])
    expect(await answer({}, "192.0.2.77")).toEqual([200, false])
    expect(await answer({}, "198.51.100.1")).toEqual([403, false])
    expect(await answer({ "X-User": "mallory" })).toEqual([403, false])
    expect(await answer({ "X-User": "mallory", "X-Org": "partner" })).toEqual([403, false])
  })
})

describe("rateLimitOptions() of a limit", () => {
  test("has the lists of all limits, not those of a group that it is in", () => {
    expect(rateLimitOptions(config, "user")).toMatchObject({
      allow: { addresses: ["192.0.2.0/24"], keys: ["p:header:x-org=partner"] },
      deny: { addresses: ["198.51.100.0/24"], keys: [] },
    })
    expect(rateLimitOptions(config, "user")).not.toHaveProperty("penalty")
    expect(rateLimitOptions(config, "user")).not.toHaveProperty("delay")
    expect(rateLimitOptions(parseConfig('limits.a.policy = "1/m"'), "a")).not.toHaveProperty("deny")
  })

  test("refuses a function as address where the lists have addresses, which would be asked of the connection", async () => {
    const address = (request: Request) => `at:${request.headers.get("X-Real-IP")}`
    const lists = ['deny.addresses = ["198.51.100.0/24"]', 'limits.a.allow.addresses = ["192.0.2.1"]']
    for (const list of lists) {
      const listed = parseConfig(`${list}\nlimits.a.policy = "1/m"\ngroups.g = { limits = ["a"], ${lists[0]} }`)
      for (const name of ["a", "g"]) {
        expect(() => rateLimitOptions(listed, name, { address })).toThrow(RangeError)
        expect(() => rateLimitOptions(listed, name, { address })).toThrow(
          "Cannot rate limit: address is a function, allowed is the options of clientAddress() where addresses are on the lists.",
        )
      }
    }
    const plain = parseConfig('limits.a.policy = "1/m"\ndeny.keys = ["at:198.51.100.1"]')
    const handler = rateLimit(() => new Response("ok"), rateLimitOptions(plain, "a", { address }))
    const statuses = ["192.0.2.1", "192.0.2.1", "192.0.2.2", "198.51.100.1"].map(async (client) => {
      return (await handler(from({}, client))).status
    })
    expect(await Promise.all(statuses)).toEqual([200, 429, 200, 403])
  })

  test("has a delay where a policy tells one that the request may have", () => {
    const config = parseConfig(`
      limits.a = { policy = "10/minute", delay = "5s" }
      tiers.slow.limits.a = "10/minute leaky_bucket"
      limits.b = { policy = "10/minute leaky_bucket" }
      groups.g = { limits = ["a", "b"], delay = "1s" }
    `)
    expect(config.limits.get("a")!.maxDelayMs).toBe(5_000)
    const options = rateLimitOptions(config, "a")
    expect(options).not.toHaveProperty("delay")
    rateLimit(() => new Response("ok"), options)
    const byTier = rateLimitOptions(config, "a", { tier: () => "slow" })
    expect(byTier).toMatchObject({ delay: { maxMs: 5_000 } })
    rateLimit(() => new Response("ok"), byTier)
    expect(rateLimitOptions(config, "g")).toMatchObject({ delay: { maxMs: 1_000 } })
  })

  test("denies what a delay would hold for longer", async () => {
    const clock = new ManualClock(0)
    const options = rateLimitOptions(config, "shaped")
    expect(options.delay).toEqual({ maxMs: 1_500 })
    const limiter = new RateLimiter("1/second leaky_bucket burst 5", { clock })
    // What is in the bucket already: the next one may leave after 2 s.
    limiter.check("p:ip:203.0.113.1", { cost: 2 })
    const handler = rateLimit(() => new Response("ok"), {
      ...rateLimitOptions(config, "shaped", { address: { header: "X-Real-IP" } }),
      limiter: () => limiter,
      clock,
    })
    const denied = await handler(from({}))
    expect([denied.status, denied.headers.get("Retry-After")]).toEqual([429, "1"])
  })
})

function receiptsOf(decision: Decision): unknown {
  return (decision as GroupDecision).limits?.map(({ receipt }) => receipt)
}

describe("fromConfig() with groups and lists", () => {
  const clock = new ManualClock(0)

  test("check() of a group asks all its limits for one key, or each for its own", () => {
    const limits = fromConfig(TEXT, { clock })
    const both = limits.check({ user: "ada", org: "acme" }, { limit: "api" })
    expect(both).toMatchObject({ allowed: true, policy: "org-12-per-1m", key: "p:acme", remaining: 10 })
    expect(both).not.toHaveProperty("receipt")
    expect(limits.check("acme", { limit: "org", cost: 0 })).toMatchObject({ remaining: 10 })
    expect(limits.check("ada", { limit: "user", cost: 0 })).toMatchObject({ remaining: 9 })
    const { limits: each } = limits.check("same", { limit: "api", tier: "pro" }) as { limits?: readonly object[] }
    expect(each).toMatchObject([
      { key: "p:same", limit: 50, remaining: 49, receipt: { cost: 1 } },
      { key: "p:same", limit: 12, remaining: 10, receipt: { cost: 2 } },
    ])
    for (let times = 0; times < 5; times++) limits.check({ user: "ada", org: "acme" }, { limit: "api" })
    expect(limits.allow({ user: "bob", org: "acme" }, { limit: "api" })).toBe(false)
    expect(limits.check("bob", { limit: "user", cost: 0 }).remaining).toBe(10)
  })

  test("check() of a group refuses a key too few, and a key by name where there is no group", () => {
    const limits = fromConfig(TEXT, { clock })
    expect(() => limits.check({ user: "ada" }, { limit: "api" })).toThrow(KeyError)
    expect(() => limits.check({ user: "ada" }, { limit: "api" })).toThrow(`the group's limit "org" has none in it`)
    expect(() => limits.check({ user: "ada" }, { limit: "user" })).toThrow(KeyError)
    for (const none of [undefined, 5]) {
      const keys = { user: "ada", org: none as never }
      expect(() => limits.check(keys, { limit: "api" })).toThrow(new KeyError(none, "a key is a string"))
    }
  })

  test("check() of a group charges a repeated call once", () => {
    const limits = fromConfig(TEXT, { clock })
    const first = limits.check("ada", { limit: "api", id: "x" })
    expect(receiptsOf(limits.check("ada", { limit: "api", id: "x" }))).toEqual(receiptsOf(first))
    expect(receiptsOf(limits.check("bob", { limit: "api", id: "x" }))).not.toEqual(receiptsOf(first))
    expect(limits.check("ada", { limit: "user", cost: 0 }).remaining).toBe(9)
    expect(() => limits.check("ada", { limit: "api", id: "x", cost: 3 })).toThrow(RangeError)
    expect(() => limits.check("ada", { limit: "api", id: "é" })).toThrow(RangeError)
  })

  test("check() of a group tells no tenant, and no tier, the call of another", () => {
    const limits = fromConfig(`${TEXT}\n[tenants.acme.limits]\nuser = "20/minute"`, { clock })
    const ask = (whose: Whose) => limits.check("ada", { limit: "api", id: "x", ...whose })
    const receipts = [{}, { tenant: "acme" }, { tier: "pro" }].map((whose) => receiptsOf(ask(whose)))
    expect(new Set(receipts.map((each) => JSON.stringify(each))).size).toBe(3)
    const left = (whose: Whose) => limits.check("ada", { limit: "user", cost: 0, ...whose }).remaining
    expect([left({}), left({ tenant: "acme" }), left({ tier: "pro" })]).toEqual([9, 19, 49])
    expect(receiptsOf(ask({ tenant: "acme" }))).toEqual(receipts[1])
  })

  test("check() of a group tells a repeated call again as its limits stand by then", () => {
    const now = new ManualClock(0)
    const limits = fromConfig(TEXT, { clock: now })
    const first = limits.check("ada", { limit: "api", id: "x" })
    limits.check("ada", { limit: "user", cost: 9 })
    limits.limits.charge("p:ada", 100, { limit: "org" })
    const again = limits.check("ada", { limit: "api", id: "x" })
    expect(again).toMatchObject({ allowed: true, reason: "ok", remaining: 0, retryAfterMs: 0 })
    expect((again as GroupDecision).limits).toMatchObject([
      { allowed: true, cost: 1, remaining: 0, resetAfterMs: 60_000 },
      { allowed: true, cost: 2, remaining: 0, retryAfterMs: 0 },
    ])
    expect(receiptsOf(again)).toEqual(receiptsOf(first))
    now.advance(300_001)
    expect(limits.check("ada", { limit: "api", id: "x" }).allowed).toBe(false)
  })

  test("check() of a group that charges nothing names no call", () => {
    const limits = fromConfig(TEXT, { clock })
    limits.check("ada", { limit: "api", id: "x", cost: 0 })
    expect(limits.check("ada", { limit: "api", id: "x" }).remaining).toBe(10)
    expect(limits.check("ada", { limit: "user", cost: 0 }).remaining).toBe(9)
  })

  test("charge() of a group takes units of each limit, or of none where one cannot be charged", () => {
    const limits = fromConfig(TEXT, { clock })
    const left = () => ["user", "org"].map((limit) => limits.check("ada", { limit, cost: 0 }).remaining)
    limits.charge("ada", 3, { limit: "api" })
    expect(left()).toEqual([7, 9])
    const long = "a".repeat(600)
    expect(() => limits.charge({ user: "ada", org: long }, 1, { limit: "api" })).toThrow(KeyError)
    expect(left()).toEqual([7, 9])
    limits.limits.remove("org")
    expect(() => limits.charge("ada", 1, { limit: "api" })).toThrow(LimitNotFound)
    expect(limits.check("ada", { limit: "user", cost: 0 }).remaining).toBe(7)
  })

  test("check() asks the lists of keys, and counts nothing of those on them", () => {
    const limits = fromConfig(TEXT, { clock })
    for (let times = 0; times < 20; times++) {
      expect(limits.check("header:x-org=partner", { limit: "user" })).toMatchObject({
        allowed: true,
        policy: "allow",
        reason: "ok",
        remaining: 10,
        key: "p:header:x-org=partner",
      })
    }
    expect(limits.check("header:x-user=mallory", { limit: "user" }).allowed).toBe(true)
    expect(limits.check("header:x-user=mallory", { limit: "api" })).toMatchObject({
      allowed: false,
      policy: "deny",
      reason: "blocked",
      remaining: 0,
    })
    expect(limits.check({ user: "header:x-user=mallory", org: "o" }, { limit: "api" }).allowed).toBe(false)
    expect(limits.limits.peek("p:header:x-org=partner", { limit: "user" }).remaining).toBe(10)
  })
})

describe("tenants of a configuration", () => {
  // More than policies that are made up by a function could be.
  const tenants = Array.from({ length: 8_300 }, (_, index) => `t${index}`)
  const config = parseConfig({
    limits: { api: { policy: "1/hour" } },
    tenants: Object.fromEntries(tenants.map((name) => [name, { limits: { api: "1/minute" } }])),
  })
  const clock = new ManualClock(0)
  const options = rateLimitOptions(config, "api", { tenant: (request) => request.headers.get("T") })

  test.each([
    ["counted by rateLimit() itself", undefined],
    [
      "each by a limiter that is made for it",
      (policy: Policy) => memory.of(memory.define(String(made++), policy).name),
    ],
  ])("are limited however many they are, %s", async (_who, limiter) => {
    const limited = rateLimit(() => new Response("ok"), { ...options, clock, ...(limiter && { limiter }) })
    let admitted = 0
    for (const _round of [1, 2]) {
      for (const tenant of tenants) {
        const { status } = await limited(new Request("http://localhost/", { headers: { T: tenant } }))
        if (status === 200) admitted++
      }
    }
    expect(admitted).toBe(8_300)
  })

  const memory = new MemoryLimits({ clock })
  let made = 0
})
