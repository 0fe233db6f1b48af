import { describe, expect, expectTypeOf, test, vi } from "vitest"
import { rateLimit as nodeLimit } from "../../src/adapters/node.js"
import {
  type ConfiguredRateLimit,
  configPolicies,
  decisionLog,
  fromConfig,
  limitNameFor,
  limitsByConfig,
  parseConfig,
  policyFor,
  rateLimitOptions,
} from "../../src/config/index.js"
import { namedLimiters, rateLimit, rateLimitFields } from "../../src/http/index.js"
import {
  acquire,
  type Decision,
  KeyError,
  LimitNotFound,
  ManualClock,
  type Policy,
  RateLimitExceeded,
  RateLimiter,
  wrap,
} from "../../src/index.js"
import { copyDecision } from "../../src/limiter/copy-decision.js"
import { MemoryLimits } from "../../src/limiter/memory-limits.js"
import { show } from "../../src/types/errors.js"
import { readSettings } from "../../worker/settings.js"

const TEXT = `
key_prefix = "p:"
[limits.default]
policy = "3/minute"
[limits.api]
policy = "10/minute"
cost = 2
key = "header:X-User"
paths = ["/api"]
fail_mode = "closed"
[tiers.pro.limits]
api = "100/minute"
[tenants.acme]
tier = "pro"
[tenants.big.limits]
api = "1000/minute"
`

function sink() {
  const lines: string[] = []
  return { lines, info: (line: string) => lines.push(line), error: (line: string) => lines.push(`! ${line}`) }
}

describe("fromConfig()", () => {
  const clock = new ManualClock(0)

  test("check() takes limit, cost and prefix from the configuration", () => {
    const limits = fromConfig(TEXT, { clock })
    expect(limits.check("u")).toMatchObject({ key: "p:u", limit: 3, remaining: 2 })
    expect(limits.check("u", { limit: "api" })).toMatchObject({ limit: 10, remaining: 8, cost: 2, policy: "api" })
    expect(limits.check("u", { limit: "api", cost: 8 }).remaining).toBe(0)
    expect(limits.allow("u", { limit: "api" })).toBe(false)
    expect(limits.limits.peek("p:u", { limit: "api" }).remaining).toBe(0)
    expect(() => limits.check("u", { limit: "apy" })).toThrow(LimitNotFound)
    expect(() => limits.check("u", { limit: "apy" })).toThrow(
      'Cannot find the limit "apy": the configuration has default, api (did you mean "api"?).',
    )
    expect(() => fromConfig("").check("u")).toThrow(LimitNotFound)
  })

  test("takes a key's own limit that was defined beside the file under a group's name", () => {
    const limits = fromConfig('limits.a="3/minute"\nlimits.b="3/minute"\ngroups.both={limits=["a","b"]}')
    limits.limits.define("both", "9/minute")
    expect(limits.check("both").limit).toBe(9)
    expect(limits.check("both", { limit: "both" })).toMatchObject({ limit: 3 })
  })

  test("takes the key's own limit where none is named, as the tenant has it, its prefix included, and logs its name", async () => {
    const log = sink()
    const text = `key_prefix = "p:"
      limits.default = { policy = "10/minute" }
      limits.ann = { policy = "7/minute" }
      limits."p:ann" = { policy = "5/minute", cost = 2, deny = { keys = ["ann"] } }
      limits."p:bob" = { policy = "5/minute", cost = 2 }
      tiers.pro.limits."p:bob" = "50/minute"
      tenants.acme.tier = "pro"
      logging = { level = "info", decisions = "all", format = "json" }`
    const limits = fromConfig(text, { clock: new ManualClock(0), log })
    expect(limits.check("ann")).toMatchObject({ key: "p:ann", limit: 5, reason: "blocked" })
    expect(limits.check("bob")).toMatchObject({ limit: 5, remaining: 3, cost: 2 })
    expect(limits.check("bob", { tenant: "acme" })).toMatchObject({ limit: 50, remaining: 48 })
    expect(limits.check("cleo")).toMatchObject({ limit: 10 })
    limits.charge("bob", 1)
    expect(limits.peek("bob")).toMatchObject({ remaining: 2 })
    expect(limits.peek("bob", { limit: "default" })).toMatchObject({ limit: 10, remaining: 10 })
    expect(limits.allow("bob", { cost: 3 })).toBe(false)
    const names = log.lines.map((line) => JSON.parse(line).limit_name)
    expect(names).toEqual(["p:ann", "p:bob", "p:bob", "default", "p:bob"])
    const permit = await acquire(limits, "bob", { cost: 2 })
    expect(permit.decision).toMatchObject({ limit: 5, remaining: 0 })
    permit.refund()
    const call = wrap(limits, () => "done", { key: "bob" })
    expect(call()).toBe("done")
    expect(call).toThrow(RateLimitExceeded)
    limits.reload(parseConfig('limits.default = "20/minute"'))
    expect(limits.check("bob")).toMatchObject({ key: "bob", limit: 20 })
  })

  test("answers a key without a named limit as limitsByConfig() does, also of limits that were defined beside", async () => {
    const text = `limits.api = { policy = "10/minute", cost = 3 }
      limits.ann = "5/minute"
      tiers.pro.limits.api = "100/minute"
      groups.both = { limits = ["api", "ann"] }
      deny = { keys = ["eve"] }`
    const own = fromConfig(text, { clock: new ManualClock(0) })
    const config = parseConfig(text)
    const under = new MemoryLimits({ clock: new ManualClock(0), limits: configPolicies(config) })
    const other = limitsByConfig(under, config)
    const answer = async (ask: () => unknown) => {
      try {
        const { receipt: _, ...told } = copyDecision((await ask()) as Decision)
        return told
      } catch (error) {
        return (error as LimitNotFound).code
      }
    }
    const askAll = async () => {
      for (const key of ["ann", "eve", "bob", "api", "both", limitNameFor(config, "api", { tier: "pro" })]) {
        for (const verb of ["check", "peek"] as const) {
          expect(await answer(() => own[verb](key)), key).toEqual(await answer(() => other[verb](key)))
        }
      }
    }
    await askAll()
    expect(await answer(() => own.check("bob"))).toBe("LIMIT_NOT_FOUND")
    for (const name of ["bob", "eve", "default"]) {
      own.limits.define(name, "9/minute")
      under.define(name, "9/minute")
    }
    await askAll()
    expect(own.check("bob")).toMatchObject({ limit: 9, remaining: 7 })
    expect(own.check("cleo")).toMatchObject({ limit: 9, remaining: 8 })
    expect(() => own.check("bob", { tier: "prro" })).toThrow('(did you mean "pro"?)')
    expect(() => own.check("bob", { limit: "bob" })).toThrow(LimitNotFound)
  })

  test('asks a group called "default" where none is named, as limitsByConfig() does', async () => {
    const text = `limits.user = "3/minute"
      limits.org = { policy = "9/minute", cost = 2 }
      groups.default = { limits = ["user", "org"] }`
    const config = parseConfig(text)
    const other = limitsByConfig(new MemoryLimits({ limits: configPolicies(config) }), config)
    for (const limits of [fromConfig(text), other]) {
      expect(await limits.check("ada")).toMatchObject({ limits: [{ cost: 1 }, { cost: 2 }] })
      expect(await limits.check("org")).toMatchObject({ limit: 9, cost: 2 })
    }
  })

  test("of() tells the policy in force of a limit, as the tenant has it, and none of a group", () => {
    const limits = fromConfig(
      `limits.api = "10/minute"
       limits.org = "20/minute"
       groups.both = { limits = ["api", "org"] }
       tenants.acme.limits.api = "100/minute"`,
      { clock },
    )
    const [api, ofAcme, both] = [limits.of("api"), limits.of("api", { tenant: "acme" }), limits.of("both")]
    expectTypeOf(api.policy).toEqualTypeOf<Policy>()
    expect([api, ofAcme].map(({ policy }) => policy.rules[0].limit)).toEqual([10, 100])
    expect(rateLimitFields(api.policy, api.check("ada"), 0)).toMatchObject({ "RateLimit-Policy": '"api";q=10;w=60' })
    expect(() => both.policy).toThrow(LimitNotFound)
    expect(() => both.policy).toThrow('Cannot find the limit "both": it is a group, of api, org.')
    expect({ ...both }).not.toHaveProperty("policy")
    limits.reload(parseConfig('limits.api = "30/minute"'))
    expect([api, ofAcme].map(({ policy }) => policy.rules[0].limit)).toEqual([30, 30])
    limits.reload(parseConfig(""))
    expect(() => api.policy).toThrow(LimitNotFound)
  })

  test.each([5, null, 10n, {}])("names a limit that is asked for and is no text: %s", (value) => {
    const config = parseConfig(TEXT)
    const limits = fromConfig(TEXT, { clock })
    const name = value as never
    for (const ask of [
      () => limits.check("u", { limit: name }),
      () => limits.peek("u", { limit: name }),
      () => limits.charge("u", 1, { limit: name }),
      () => limits.of(name),
      () => policyFor(config, name),
      () => limitNameFor(config, name),
      () => rateLimitOptions(config, name),
    ]) {
      expect(ask).toThrow(LimitNotFound)
      expect(ask).toThrow(`Cannot find the limit ${show(value)}: the configuration has default, api.`)
    }
  })

  test("check() tells groups and listed keys by the policies in force, also where they changed since", () => {
    const limits = fromConfig(`
      limits.api = { policy = "10/minute" }
      limits.org = { policy = "50/minute" }
      groups.site = { limits = ["api", "org"] }
      deny = { keys = ["eve"] }`)
    limits.limits.define("api", "1000/hour")
    expect(limits.check("u", { limit: "site" }).rules).toMatchObject([
      { limit: 1_000, periodMs: 3_600_000 },
      { limit: 50, periodMs: 60_000 },
    ])
    for (const limit of ["api", "site"]) expect(limits.check("eve", { limit })).toMatchObject({ limit: 1_000 })
    limits.limits.remove("api")
    expect(limits.check("eve", { limit: "api" })).toMatchObject({ limit: 10 })
  })

  test("acquire() charges the configured cost where none is given, and its permit settles it", async () => {
    const limits = fromConfig('limits.api = { policy = "10/minute", cost = 3 }', { clock: new ManualClock(0) })
    const permit = await acquire(limits, "a", { limit: "api" })
    expect([permit.cost, limits.limits.peek("a", { limit: "api" }).remaining]).toEqual([3, 7])
    permit.settle(1)
    expect(limits.limits.peek("a", { limit: "api" }).remaining).toBe(9)
    expect((await acquire(limits, "a", { limit: "api", cost: 2 })).cost).toBe(2)
  })

  test("of() makes a limiter of a limit that goes by its cost, lists, tenant and log, for wrap() and acquire()", async () => {
    const log = sink()
    const limits = fromConfig(
      `${TEXT}
      [limits.api.deny]
      keys = ["mallory"]
      [logging]
      level = "info"`,
      { clock: new ManualClock(0), log },
    )
    const send = wrap(limits.of("api", { tenant: "acme" }), (to: string) => `sent to ${to}`, { key: (to) => to })
    expect(send("ada")).toBe("sent to ada")
    expect(() => send("mallory")).toThrow(RateLimitExceeded)
    expect(log.lines).toEqual([expect.stringContaining('deny key="p:mallory"')])
    const permit = await acquire(limits.of("api", { tenant: "acme" }), "ada")
    expect([permit.cost, limits.check("ada", { limit: "api", tenant: "acme", cost: 0 }).remaining]).toEqual([2, 96])
    permit.settle(0)
    expect(limits.of("api", { tier: "pro" }).check("ada", { cost: 0 }).remaining).toBe(98)
    const free = await acquire(limits.of("api", { tenant: "acme" }), "ada", { cost: 0 })
    free.settle(3)
    expect(limits.of("api", { tier: "pro" }).peek("ada").remaining).toBe(95)
    limits.of("api").charge("ada", 9)
    expect(limits.of("api").allow("ada")).toBe(false)
    expect(() => limits.of("apy")).toThrow(LimitNotFound)
    expect(() => limits.of("api", { tier: "por" })).toThrow('tier is "por"')
    expect(() => limits.of("api").check("ada", { tenant: "big" } as object)).toThrow('option is "tenant"')
  })

  test("of() has all who count under the same name stand in one line, whoever they are", async () => {
    const asked: number[] = []
    const limits = fromConfig(
      `analytics.enabled = true
       limits.api = { policy = "2/minute" }
       tiers.free.limits = {}
       tiers.pro.limits.api = "2/hour"
       tenants.acme = { tier = "pro" }
       tenants.plain = {}`,
      { clock: new ManualClock(0), onSample: ({ cost }) => asked.push(cost) },
    )
    const waitAs = (whose: object) => (cost: number) => acquire(limits.of("api", whose), "a", { cost })
    const waitByName = (cost: number) => acquire(limits, "a", { limit: "api", cost })
    for (const [whose, first, second] of [
      [{}, waitAs({}), waitAs({ tenant: "plain" })],
      [{}, waitAs({ tier: "free" }), waitAs({ tenant: "unknown" })],
      [{}, waitByName, waitAs({ tenant: "plain" })],
      [{ tier: "pro" }, waitAs({ tenant: "acme" }), waitAs({ tier: "pro" })],
    ] as const) {
      const reset = () => limits.limits.reset("a", { limit: limits.limitName("api", whose) })
      limits.charge("a", 2, { limit: "api", ...whose })
      asked.length = 0
      const waits = [first(2), second(1)]
      // Less would do for the second, but it is not its turn.
      expect(asked).toEqual([2])
      reset()
      await waits[0]
      reset()
      await waits[1]
      expect(asked.filter((cost, index) => cost !== asked[index - 1])).toEqual([2, 1])
      reset()
    }
  })

  test("of() asks a group for all of its limits, as a tenant has them", () => {
    const limits = fromConfig(
      `limits.api = { policy = "1/second" }
       limits.org = { policy = "9/second" }
       groups.both = { limits = ["api", "org"] }
       tenants.acme.limits.api = "2/second"`,
      { clock },
    )
    expect(limits.of("both", { tenant: "acme" }).check({ api: "x", org: "y" })).toMatchObject({ remaining: 1 })
    expect(limits.of("both", { tenant: "other" }).check({ api: "x", org: "y" })).toMatchObject({ remaining: 0 })
    expect(() => limits.of("both").check({ api: "x" })).toThrow(KeyError)
  })

  test("check() takes the policy of the tenant, else of its tier, else of the tier given", () => {
    const limits = fromConfig(TEXT, { clock })
    const limitOf = (whose: object) => limits.check("u", { limit: "api", ...whose }).limit
    expect(limitOf({ tenant: "acme" })).toBe(100)
    expect(limitOf({ tenant: "big", tier: "pro" })).toBe(1_000)
    expect(limitOf({ tenant: "unknown" })).toBe(10)
    expect(limitOf({ tenant: "unknown", tier: "pro" })).toBe(100)
    expect(() => limitOf({ tier: "por" })).toThrow(
      'Cannot choose a policy: tier is "por", allowed is one of pro (did you mean "pro"?).',
    )
    expect(() => limitOf({ tenant: "big", tier: "por" })).toThrow(RangeError)
    expect(() => policyFor(limits.config, "api", { tier: "" })).toThrow(RangeError)
    expect(limitOf({ tenant: null, tier: undefined })).toBe(10)
    expect(policyFor(limits.config, "api", { tier: "pro" }).rules[0].limit).toBe(100)
    expect(limits.check("u", { tier: "pro" }).limit).toBe(3)
  })

  test("policyFor() takes the tier of the tenant before the tier given", () => {
    const config = parseConfig(`
      limits.api = { policy = "1/minute" }
      tiers.free.limits.api = "2/minute"
      tiers.gold.limits.api = "3/minute"
      tenants.acme = { tier = "gold" }`)
    expect(policyFor(config, "api", { tenant: "acme", tier: "free" }).rules[0].limit).toBe(3)
  })

  test("analytics turn statistics and names on, and tell of their share", () => {
    const random = [0.1, 0.9, 0.24].values()
    const seen: Decision[] = []
    const limits = fromConfig(`${TEXT}\n[analytics]\nenabled = true\nsample_rate = 0.25`, {
      clock,
      onSample: (decision) => seen.push(decision),
      random: () => random.next().value!,
    })
    for (const key of ["a", "b", "c"]) limits.check(key)
    expect(seen.map(({ key }) => key)).toEqual(["p:a", "p:c"])
    expect(limits.limits.list()).toEqual(["p:a", "p:b", "p:c"])
    expect(limits.limits.stats("p:a").totalAllowed).toBe(1)
    expect(() => fromConfig(TEXT).limits.list()).toThrow(TypeError)
  })

  test("what the log, the sample or the source of its numbers throws changes no decision", async () => {
    const text = `limits.default = { policy = "5/minute" }
      logging = { level = "info", decisions = "all" }
      analytics = { enabled = true }`
    const fail = () => {
      throw new Error("not heard")
    }
    const quiet = { info: () => {}, error: () => {} }
    for (const options of [
      { log: { info: fail, error: fail } },
      { log: quiet, onSample: fail },
      { log: quiet, onSample: async () => fail() },
      { log: quiet, onSample: () => {}, random: fail },
    ]) {
      const limits = fromConfig(text, { clock, ...options })
      expect(limits.check("u")).toMatchObject({ allowed: true, remaining: 4 })
      expect(limits.allow("u")).toBe(true)
    }
    // A promise that nobody waits for would be heard of now.
    await new Promise((resolve) => setTimeout(resolve))
  })

  test("logging writes denials, or all decisions, as text or JSON, and is silent by default", () => {
    const [silent, text, json] = [sink(), sink(), sink()]
    const run = (logging: string, log: ReturnType<typeof sink>) => {
      const limits = fromConfig(`limits.default = { policy = "1/minute" }\n${logging}`, { clock, log })
      limits.check('a\n"')
      limits.check('a\n"')
    }
    run("", silent)
    run('logging = { level = "info" }', text)
    run('logging = { level = "info", decisions = "all", format = "json" }', json)
    expect(silent.lines).toEqual([])
    expect(text.lines).toEqual([
      '1970-01-01T00:00:00.000Z sluice deny key="a\\n\\"" policy="default" reason="limit" cost=1 limit=1 remaining=0 retry_after_ms=60000 limit_name="default"',
    ])
    const entries = json.lines.map((line) => JSON.parse(line))
    expect(entries.map(({ event }) => event)).toEqual(["admit", "deny"])
    expect(entries[1]).toMatchObject({ at: "1970-01-01T00:00:00.000Z", limit_name: "default" })
  })

  test("a log and the counts around a handler go by its clock", async () => {
    const [log, clock] = [sink(), new ManualClock(0)]
    const config = parseConfig('limits.api = "1/minute"\nlogging = { level = "info", decisions = "all" }')
    const handler = rateLimit(() => new Response("ok"), rateLimitOptions(config, "api", { log, clock }))
    const statuses = []
    for (const ms of [0, 59_999, 1]) {
      clock.advance(ms)
      statuses.push((await handler(new Request("http://localhost/"))).status)
    }
    expect(statuses).toEqual([200, 429, 200])
    const { onError } = decisionLog({ level: "error", decisions: "denied", format: "text" }, log, clock)
    onError!(new Error("gone"))
    const at = log.lines.map((line) => line.split(" ", 3).join(" "))
    expect(at).toEqual([
      "1970-01-01T00:00:00.000Z sluice admit",
      "1970-01-01T00:00:59.999Z sluice deny",
      "1970-01-01T00:01:00.000Z sluice admit",
      "! 1970-01-01T00:01:00.000Z sluice",
    ])
  })

  test("a log tells for whom a limit was asked, in memory and around a handler", async () => {
    const log = sink()
    const config = parseConfig(`${TEXT}\n[logging]\nlevel = "info"\ndecisions = "all"\nformat = "json"`)
    fromConfig(`${TEXT}\n[logging]\nlevel = "info"\ndecisions = "all"\nformat = "json"`, { clock, log }).check("u", {
      limit: "api",
      tenant: "acme",
    })
    const options = { tenant: () => "other", tier: () => "pro", log }
    await rateLimit(
      () => new Response("ok"),
      rateLimitOptions(config, "api", options),
    )(new Request("http://localhost/"))
    await rateLimit(
      () => new Response("ok"),
      rateLimitOptions(config, "api", { log }),
    )(new Request("http://localhost/"))
    const [memory, handler, anyone] = log.lines.map((line) => JSON.parse(line))
    expect(memory).toMatchObject({ limit_name: "api", tenant: "acme", limit: 100 })
    expect(handler).toMatchObject({ limit_name: "api", tenant: "other", tier: "pro", limit: 100 })
    expect(anyone).toMatchObject({ limit_name: "api", limit: 10 })
    expect(Object.keys(anyone)).not.toContain("tier")
  })

  test("a log tells for whom was waited, also where others wait who are counted under the same name", async () => {
    const log = sink()
    const limits = fromConfig(`${TEXT}\n[logging]\nlevel = "info"\ndecisions = "all"\nformat = "json"`, { clock, log })
    const asked = [{ tenant: "acme" }, { tenant: "other", tier: "pro" }, { tier: "pro" }, { tenant: "other" }, {}]
    for (const whose of asked) await acquire(limits.of("api", whose), "u")
    const lines = log.lines.map((line) => JSON.parse(line))
    expect(lines.map(({ tenant, tier }) => ({ tenant, tier }))).toEqual(asked)
  })

  test.each(["text", "json"])("a log as %s holds nothing that steers a terminal or ends a line", (format) => {
    const log = sink()
    const limits = fromConfig(
      `limits.default = { policy = "1/minute" }\nlogging = { level = "info", decisions = "all", format = "${format}" }`,
      { clock, log },
    )
    limits.check("\u001b[2J\u007f\u0085\u009b1m\u2028\u2029\u202e\u2066")
    expect(log.lines).toEqual([
      expect.stringContaining(String.raw`"\u001b[2J\u007f\u0085\u009b1m\u2028\u2029\u202e\u2066"`),
    ])
  })
})

describe("rateLimitOptions()", () => {
  const request = (user: string) => new Request("http://localhost/api", { headers: { "X-User": user, Tenant: user } })
  const tenant = (each: Request) => each.headers.get("Tenant")

  test("gives rateLimit its policy by tenant, key, cost and headers", async () => {
    const config = parseConfig(`${TEXT}\n[headers]\nstyles = ["legacy"]\nreset = "delta"`)
    const keys: string[] = []
    const handler = rateLimit(() => new Response("ok"), {
      ...rateLimitOptions(config, "api", { tenant }),
      onDecision: ({ key }) => void keys.push(key),
    })
    const answers = await Promise.all(["free", "acme", "big"].map((user) => handler(request(user))))
    expect(answers.map(({ headers }) => headers.get("X-RateLimit-Limit"))).toEqual(["10", "100", "1000"])
    expect(answers.map(({ headers }) => headers.get("X-RateLimit-Remaining"))).toEqual(["8", "98", "998"])
    expect(answers[0]?.headers.get("X-RateLimit-Reset")).toBe("12")
    expect(answers[0]?.headers.has("RateLimit")).toBe(false)
    expect(keys).toEqual(["p:header:x-user=free", "p:header:x-user=acme", "p:header:x-user=big"])
  })

  test("tells what a tenant's and a tier's function get, whatever stands beside them", () => {
    const config = parseConfig(TEXT)
    const address = { trustedHops: 1 }
    const plan = (request: Request, env: { plan: string }) => `${env.plan} ${request.url}`
    const ofRequest = rateLimitOptions(config, "api", { address, tenant: ({ headers }) => headers.get("Tenant") })
    expectTypeOf(ofRequest).toEqualTypeOf<ConfiguredRateLimit<[]>>()
    const ofEnv = rateLimitOptions(config, "api", {
      address,
      tenant: ({ headers }) => headers.get("Tenant"),
      tier: plan,
    })
    expectTypeOf(ofEnv).toEqualTypeOf<ConfiguredRateLimit<[env: { plan: string }]>>()
    rateLimit((_request: Request, _env: { plan: string }) => new Response("ok"), ofEnv)
    nodeLimit((_request, response) => void response.end("ok"), rateLimitOptions(config, "api", { address }))
    nodeLimit((_request, response) => void response.end("ok"), ofRequest)
  })

  test("has tiers and tenants counted apart in named limits, under the names that fromConfig counts them", async () => {
    const config = parseConfig(TEXT.replace("cost = 2", ""))
    const clock = new ManualClock(0)
    const limits = new MemoryLimits({ limits: configPolicies(config), clock })
    const handler = rateLimit(() => new Response("ok"), {
      ...rateLimitOptions(config, "api", { tenant }),
      limiter: namedLimiters(limits),
    })
    const statuses: number[] = []
    for (let asked = 0; asked < 11; asked++) {
      for (const user of ["acme", "free", "big"]) statuses.push((await handler(request(user))).status)
    }
    expect(statuses.filter((status) => status === 429)).toHaveLength(1)
    expect(new Set(limits.limits().map(({ name }) => name))).toEqual(new Set(configPolicies(config).keys()))
    const remaining = (whose: object, user: string) => {
      const limit = limitNameFor(config, "api", whose)
      return limits.peek(`p:header:x-user=${user}`, { limit }).remaining
    }
    expect([remaining({}, "free"), remaining({ tenant: "acme" }, "acme"), remaining({ tenant: "big" }, "big")]).toEqual(
      [0, 89, 989],
    )
  })

  test("gives rateLimit what the mode and the styles use, and nothing else", () => {
    const optionsOf = (text: string) => rateLimitOptions(parseConfig(`limits.api.policy = "1/day"\n${text}`), "api")
    expect(Object.keys(optionsOf("failure.status = 429"))).not.toContain("failClosedStatus")
    expect(Object.keys(optionsOf(""))).not.toContain("legacyReset")
    for (const mode of ["closed", "local"]) {
      const text = `failure = { mode = "${mode}", status = 429 }\nheaders = { styles = ["legacy"], reset = "delta" }`
      expect(optionsOf(text)).toMatchObject({ failMode: mode, failClosedStatus: 429, legacyReset: "delta" })
    }
    for (const mode of ["open", "closed", "local"]) {
      for (const styles of ["[]", '["draft-7"]', '["draft-11", "legacy"]']) {
        const options = optionsOf(`failure = { mode = "${mode}", status = 429 }\nheaders = { styles = ${styles} }`)
        expect(() => rateLimit(() => new Response("ok"), options)).not.toThrow()
      }
    }
  })

  test.each([
    ["nothing", () => undefined],
    ["an empty text", () => ""],
    ["a number", () => 42 as never],
    [
      "an error",
      () => {
        throw new Error("own")
      },
    ],
  ])("puts the prefix before the one key of those whose own is %s, and finds it in the lists", async (_what, key) => {
    const denying = `${TEXT}\n[deny]\nkeys = ["unidentified"]`
    const seen: unknown[] = []
    for (const text of [TEXT, denying]) {
      const handler = rateLimit(() => new Response("ok"), {
        ...rateLimitOptions(parseConfig(text), "api", { key }),
        onDecision: ({ key, policy }) => void seen.push([key, policy]),
        onError: () => {},
      })
      await handler(new Request("http://localhost/"))
    }
    expect(seen).toEqual([
      ["p:unidentified", expect.not.stringMatching("deny")],
      ["p:unidentified", "deny"],
    ])
  })

  test("tells onError once of a key that cannot be had", async () => {
    const onError = vi.fn()
    const handler = rateLimit(
      () => new Response("ok"),
      rateLimitOptions(parseConfig(TEXT), "api", { key: () => 42 as never, onError }),
    )
    await handler(new Request("http://localhost/"))
    expect(onError.mock.calls.map(([error]) => String(error))).toEqual([expect.stringContaining("Cannot use key 42")])
  })

  test("gives rateLimit its failure mode, status, jitter, log and sample", async () => {
    const log = sink()
    const samples: Decision[] = []
    const config = parseConfig(`
      limits.api = { policy = "1/minute" }
      failure = { mode = "closed", status = 429, timeout = "20ms" }
      jitter = { enabled = true, max = "9s" }
      analytics = { enabled = true, sample_rate = 0.5 }
      logging = { level = "info" }`)
    const options = rateLimitOptions(config, "api", { log, onSample: (each) => samples.push(each), random: () => 0.4 })
    expect(options.jitter).toEqual({ maxSeconds: 9 })
    const broken = rateLimit(() => new Response("ok"), {
      ...options,
      limiter: () => ({ check: () => Promise.reject(new Error("out of reach")), refund: () => {} }),
    })
    expect((await broken(new Request("http://localhost/"))).status).toBe(429)
    expect(log.lines[0]).toMatch(/^! 20.+Z sluice error name="Error" message="out of reach"$/)
    const clock = new ManualClock(0)
    const limiter = new RateLimiter("1/minute", { clock })
    const handler = rateLimit(() => new Response("ok"), {
      ...options,
      ...(options.jitter && { jitter: { ...options.jitter, random: () => 0.99 } }),
      limiter: () => limiter,
    })
    await handler(new Request("http://localhost/"))
    const denied = await handler(new Request("http://localhost/"))
    expect([denied.status, denied.headers.get("Retry-After")]).toEqual([429, "69"])
    expect(samples.map(({ reason }) => reason)).toEqual(["fail-closed", "ok", "limit"])
    expect(log.lines.at(-1)).toContain("sluice deny")
  })

  test("has the first failure of the limiter told on the console at the level silent, too", async () => {
    using warn = vi.spyOn(console, "warn").mockReturnValue()
    const config = parseConfig('limits.api.policy = "1/minute"\nlogging.level = "silent"')
    const limiter = () => ({ check: () => Promise.reject(new Error("out of reach")), refund: () => {} })
    await rateLimit(() => new Response("ok"), { ...rateLimitOptions(config, "api"), limiter })(request("u"))
    expect(warn.mock.calls).toEqual([[expect.stringContaining("out of reach")]])
  })

  test("a sample_rate of 0 tells of no request, whatever the random numbers", async () => {
    const samples: Decision[] = []
    const config = parseConfig(`
      limits.api = { policy = "1/minute" }
      analytics = { enabled = true, sample_rate = 0 }`)
    const options = rateLimitOptions(config, "api", { onSample: (each) => samples.push(each), random: () => 0 })
    await rateLimit(() => new Response("ok"), options)(new Request("http://localhost/"))
    expect(samples).toEqual([])
  })

  test("a tier that there is not is told to onError, and the limit's own policy counts: nothing passes unlimited", async () => {
    const told: unknown[] = []
    const log = sink()
    const config = parseConfig(`${TEXT}\n[failure]\nmode = "open"\n[logging]\nlevel = "error"`)
    const handler = rateLimit(() => new Response("ok"), {
      ...rateLimitOptions(config, "api", { tier: () => "prro", log, onError: (error) => void told.push(error) }),
    })
    const response = await handler(request("u"))
    expect(response.headers.get("RateLimit-Policy")).toBe('"api";q=10;w=60')
    expect(told).toEqual([expect.objectContaining({ message: expect.stringContaining('tier is "prro"') })])
    expect(log.lines[0]).toContain("Z sluice error")
  })

  test("what a hook throws keeps no other from hearing, and changes no decision", async () => {
    const told: string[] = []
    const fail = (what: string) => {
      told.push(what)
      throw new Error(what)
    }
    const config = parseConfig(
      `${TEXT}\n[failure]\nmode = "open"\n[logging]\nlevel = "info"\ndecisions = "all"\n[analytics]\nenabled = true`,
    )
    const handler = rateLimit(() => new Response("ok"), {
      ...rateLimitOptions(config, "api", {
        tier: () => "prro",
        log: { info: () => fail("log"), error: () => fail("log error") },
        onSample: () => fail("sample"),
        onDecision: ({ key }, { url }) => fail(`decision ${key} ${url}`),
        onError: (error) => fail(`error ${(error as Error).message}`),
        random: () => 0,
      }),
    })
    const response = await handler(request("u"))
    expect([response.status, response.headers.get("RateLimit-Policy")]).toEqual([200, '"api";q=10;w=60'])
    await expect.poll(() => told.length).toBe(7)
    expect(told).toEqual([
      "log error",
      expect.stringContaining('tier is "prro"'),
      ...["log", "sample", "decision p:header:x-user=u http://localhost/api", "log error"],
      expect.stringContaining("error decision"),
    ])
  })

  test("takes a key in place of the file's, with its prefix, so that lists know it; none for a group", async () => {
    const config = parseConfig(`${TEXT}\n[deny]\nkeys = ["user:mallory"]\n[groups.all]\nlimits = ["api"]`)
    const key = () => "user:mallory"
    const handler = rateLimit(() => new Response("ok"), rateLimitOptions(config, "api", { key }))
    expect((await handler(request("u"))).status).toBe(403)
    expect(() => rateLimitOptions(config, "all", { key })).toThrow(
      "key is a function, allowed is none for a group, each of whose limits has its own.",
    )
  })

  test("onDecision hears also where the file says nothing of decisions", async () => {
    const told: string[] = []
    const options = rateLimitOptions(parseConfig(TEXT), "api", { onDecision: ({ key }) => void told.push(key) })
    await rateLimit(() => new Response("ok"), options)(request("u"))
    expect(told).toEqual(["p:header:x-user=u"])
  })

  test("leaves hooks out where there is nothing to tell, and refuses a limit that there is not", () => {
    const options = rateLimitOptions(parseConfig(TEXT), "api")
    expect(options).not.toHaveProperty("onDecision")
    expect(options).not.toHaveProperty("onError")
    expect(() => rateLimitOptions(parseConfig(TEXT), "apy")).toThrow(LimitNotFound)
  })
})

describe("readSettings() of the deployable Worker, with CONFIG", () => {
  const text = `${TEXT}
[failure]
timeout = "2s"
[jitter]
enabled = true
[worker]
upstream = "https://example.com"`

  test("takes the limits that have paths, with all that the configuration says of them", () => {
    const settings = readSettings({ CONFIG: text, SLUICE_TIMEOUT: "3s" } as object)
    expect(settings.upstream?.href).toBe("https://example.com/")
    expect(settings.limits).toHaveLength(1)
    expect(settings.limits[0]).toMatchObject({ name: "api", failMode: "closed", timeoutMs: 3_000, paths: ["/api"] })
    expect(settings.limits[0]?.options).toMatchObject({ cost: 2, jitter: { maxSeconds: 5 }, headers: ["draft-11"] })
    expect(settings.limitByPath.find("/api/users")?.name).toBe("api")
  })

  test("takes a table too, and UPSTREAM before what it says", () => {
    const CONFIG = { limits: { api: { policy: "1/minute", paths: ["/"] } }, worker: { upstream: "http://a" } }
    expect(readSettings({ CONFIG, UPSTREAM: "http://b" }).upstream?.href).toBe("http://b/")
    expect(readSettings({ CONFIG }).upstream?.href).toBe("http://a/")
    expect(readSettings({ CONFIG, UPSTREAM: "" }).upstream?.href).toBe("http://a/")
    const SLUICE_UPSTREAM = "http://c"
    expect(readSettings({ CONFIG, SLUICE_UPSTREAM } as object).upstream?.href).toBe("http://c/")
    expect(readSettings({ CONFIG, SLUICE_UPSTREAM, UPSTREAM: "http://b" } as object).upstream?.href).toBe("http://b/")
  })

  test("refuses a configuration that cannot be, LIMITS beside it, and one without paths", () => {
    expect(() => readSettings({ CONFIG: "[limit.api]" })).toThrow('CONFIG: a field is "limit"')
    expect(() => readSettings({ CONFIG: text, LIMITS: [] })).toThrow("none beside CONFIG")
    expect(() => readSettings({ CONFIG: { limits: { a: { policy: "1/m" } } } })).toThrow(
      "at least one limit with paths",
    )
    const twice = { a: { policy: "1/m", paths: ["/a"] }, b: { policy: "1/m", paths: ["/a/"] } }
    expect(() => readSettings({ CONFIG: { limits: twice } })).toThrow("CONFIG.limits.b.paths[0]")
  })
})
