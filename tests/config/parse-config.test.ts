import { describe, expect, test } from "vitest"
import { type ConfigError, fromConfig, parseConfig } from "../../src/config/index.js"
import { KeyError, LimitNotFound, ManualClock, parsePolicy } from "../../src/index.js"

function errorOf(input: string | object, env: Record<string, string> = {}): ConfigError {
  try {
    parseConfig(input, { env })
  } catch (error) {
    return error as ConfigError
  }
  throw new Error("The configuration was accepted.")
}

const FULL = `
key_prefix = "prod:"

[defaults]
algorithm = "sliding_window"
key = "api-key"
cost = 2

[limits.default]
policy = "10/second; 1000/hour gcra"

[limits.api_tier_1]
limit = 100
period = "1m"
algorithm = "token_bucket"
burst = 200
refill = { amount = 50, every = "30s" }
block = "10s"
paths = ["/api"]
key = { firstOf = ["api-key", "address"] }
cost = 1
fail_mode = "closed"
timeout = "500ms"
delay = "3s"

[limits.api_tier_1.penalty]
status = [401, 403]
units = 5

[limits.api_tier_1.deny]
keys = ["apikey:stolen"]

[limits.daily]
limit = 1000
period = "1d"
algorithm = "fixed_window"
offset = "6h"

[groups.site]
limits = ["api_tier_1", "default"]
paths = ["/site"]
timeout = "250ms"

[allow]
addresses = ["192.0.2.0/24", "2001:db8::1"]

[deny]
addresses = ["198.51.100.7"]
keys = ["ip:203.0.113.9"]

[tiers.pro.limits]
api_tier_1 = "1000/minute leaky_bucket"

[tenants.acme]
tier = "pro"

[tenants.acme.limits]
daily = ["5000/day", { limit = 100, period = "1h" }]

[headers]
styles = ["draft-11", "legacy"]
reset = "delta"
quota_unit = "tokens"

[failure]
mode = "local"
timeout = "2s"
status = 429

[jitter]
enabled = true
max = "10s"

[analytics]
enabled = true
sample_rate = 0.25
retention = "7d"

[logging]
level = "info"
decisions = "all"
format = "json"

[worker]
upstream = "https://api.example.com/v2"
`

describe("parseConfig()", () => {
  test("reads every field, and fills in what limits do not say", () => {
    const config = parseConfig(FULL)
    expect(config).toMatchObject({
      keyPrefix: "prod:",
      headers: { styles: ["draft-11", "legacy"], legacyReset: "delta", quotaUnit: "tokens" },
      failure: { mode: "local", timeoutMs: 2_000, status: 429 },
      jitter: { maxSeconds: 10 },
      analytics: { enabled: true, sampleRate: 0.25, retentionMs: 604_800_000 },
      logging: { level: "info", decisions: "all", format: "json" },
      upstream: "https://api.example.com/v2",
    })
    expect([...config.limits.keys()]).toEqual(["default", "api_tier_1", "daily"])
    expect(config.limits.get("api_tier_1")).toMatchObject({
      paths: ["/api"],
      key: { firstOf: ["api-key", "address"] },
      cost: 1,
      failMode: "closed",
      timeoutMs: 500,
      maxDelayMs: 3_000,
      penalty: { status: [401, 403], units: 5 },
      allow: { addresses: ["192.0.2.0/24", "2001:db8::1"], keys: [] },
      deny: { addresses: ["198.51.100.7"], keys: ["ip:203.0.113.9", "apikey:stolen"] },
    })
    expect(config.limits.get("daily")).toMatchObject({
      maxDelayMs: null,
      penalty: null,
      deny: { addresses: ["198.51.100.7"], keys: ["ip:203.0.113.9"] },
    })
    expect(config.groups.get("site")).toMatchObject({
      name: "site",
      paths: ["/site"],
      timeoutMs: 250,
      failMode: "local",
    })
    expect(config.groups.get("site")?.limits).toEqual([config.limits.get("api_tier_1"), config.limits.get("default")])
    expect(config.limits.get("api_tier_1")?.policy.canonical).toBe(
      '[{"name":"api_tier_1","algorithm":"token_bucket","limit":100,"period":60000,"burst":200,' +
        '"refill":{"amount":50,"every":30000},"block":10000}]',
    )
    const daily = config.limits.get("daily")
    expect(daily).toMatchObject({ key: "api-key", cost: 2, failMode: "local", timeoutMs: 2_000 })
    expect(daily?.policy.rules[0]).toMatchObject({ algorithm: "fixed_window", offsetMs: 21_600_000 })
    const rules = config.limits.get("default")?.policy.rules
    expect(rules?.map(({ algorithm, periodMs }) => [algorithm, periodMs])).toEqual([
      ["sliding_window", 1_000],
      ["gcra", 3_600_000],
    ])
    expect(config.tiers.get("pro")?.get("api_tier_1")?.rules[0]).toMatchObject({ limit: 1_000, name: "api_tier_1" })
    expect(config.tenants.get("acme")?.tier).toBe("pro")
    expect(
      config.tenants
        .get("acme")
        ?.limits.get("daily")
        ?.rules.map(({ limit }) => limit),
    ).toEqual([5_000, 100])
  })

  test("takes the $schema by which editors check an object", () => {
    const $schema = "./node_modules/sluice/sluice.schema.json"
    expect(parseConfig({ $schema, limits: { api: { policy: "1/minute" } } }).limits.size).toBe(1)
    expect(errorOf({ $schema: 1 }).field).toBe("$schema")
  })

  test("has a default for everything", () => {
    expect(parseConfig("")).toEqual({
      keyPrefix: "",
      limits: new Map(),
      groups: new Map(),
      allow: { addresses: [], keys: [] },
      deny: { addresses: [], keys: [] },
      tiers: new Map(),
      tenants: new Map(),
      headers: { styles: ["draft-11"], legacyReset: "epoch", quotaUnit: null },
      failure: { mode: "open", timeoutMs: 1_000, status: 503 },
      jitter: null,
      analytics: { enabled: false, sampleRate: 1, retentionMs: 3_600_000 },
      logging: { level: "silent", decisions: "denied", format: "text" },
      upstream: null,
    })
    expect(parseConfig({ headers: { styles: [] } }).headers.styles).toBe(false)
  })

  test("takes an object of the same shape", () => {
    const config = parseConfig({ limits: { api: { policy: "10/minute" } }, failure: { status: 429, timeout: "50ms" } })
    expect(config.limits.get("api")?.policy.rules[0]).toMatchObject({ name: "api", limit: 10 })
    expect(config.failure).toMatchObject({ status: 429, timeoutMs: 50 })
  })

  test.each([
    ["SLUICE_KEY_PREFIX", "test:", "keyPrefix", "test:"],
    ["SLUICE_FAIL_MODE", "closed", "failure.mode", "closed"],
    ["SLUICE_TIMEOUT", "250ms", "failure.timeoutMs", 250],
    ["SLUICE_FAIL_STATUS", "503", "failure.status", 503],
    ["SLUICE_JITTER", "off", "jitter", null],
    ["SLUICE_JITTER_MAX", "30s", "jitter.maxSeconds", 30],
    ["SLUICE_ANALYTICS", "0", "analytics.enabled", false],
    ["SLUICE_SAMPLE_RATE", "0.5", "analytics.sampleRate", 0.5],
    ["SLUICE_RETENTION", "1d", "analytics.retentionMs", 86_400_000],
    ["SLUICE_LOG_LEVEL", "error", "logging.level", "error"],
    ["SLUICE_LOG_DECISIONS", "denied", "logging.decisions", "denied"],
    ["SLUICE_LOG_FORMAT", "text", "logging.format", "text"],
    ["SLUICE_UPSTREAM", "http://127.0.0.1:9", "upstream", "http://127.0.0.1:9"],
  ])("%s=%s overrides what is written", (name, value, path, expected) => {
    const config = parseConfig(FULL, { env: { [name]: value } })
    expect(config).toHaveProperty(path, expected)
    expect(parseConfig(FULL, { env: { [name]: "" } })).toEqual(parseConfig(FULL))
    expect(parseConfig(FULL)).not.toHaveProperty(path, expected)
  })

  test.each([
    ["10/second", ["token_bucket"]],
    ["10/second as sliding_window", ["token_bucket"]],
    ["10/second as gcra; 5/minute sliding_window as token_bucket", ["token_bucket", "sliding_window"]],
    ["10/second burst 20, 5/minute", ["token_bucket", "token_bucket"]],
    ['{"limit":5,"period":"1m"}', ["token_bucket"]],
    [' [{"limit":5,"period":"1m"},{"limit":9,"period":"1h","algorithm":"gcra"}]', ["token_bucket", "gcra"]],
    ['{"limit":5,"period":"5s","refill":{"amount":1,"every":"1s"}}', ["token_bucket"]],
    [{ limit: 5, period: "1m" }, ["token_bucket"]],
    [
      ["10/second", { limit: 5, period: "1m", algorithm: undefined }],
      ["token_bucket", "token_bucket"],
    ],
    [parsePolicy("10/second"), ["gcra"]],
    [parsePolicy("10/second").canonical, ["gcra"]],
  ])("defaults.algorithm is that of rules that name none: %j", (policy, algorithms) => {
    const config = parseConfig({ defaults: { algorithm: "token_bucket" }, limits: { api: { policy } } })
    expect(config.limits.get("api")!.policy.rules.map(({ algorithm }) => algorithm)).toEqual(algorithms)
  })

  test("SLUICE_ALGORITHM overrides the algorithm of rules that name none", () => {
    const config = parseConfig(FULL, { env: { SLUICE_ALGORITHM: "sliding_window_log" } })
    expect(config.limits.get("default")?.policy.rules[0].algorithm).toBe("sliding_window_log")
  })

  test("names a variable that cannot be", () => {
    expect(errorOf("", { SLUICE_SAMPLE_RATE: "often" })).toMatchObject({ field: "SLUICE_SAMPLE_RATE" })
    expect(errorOf("", { SLUICE_JITTER: "maybe" })).toMatchObject({ field: "SLUICE_JITTER", allowed: "true or false" })
    expect(errorOf("", { SLUICE_FAIL_MODE: "opn" }).message).toContain('(did you mean "open"?)')
  })

  test.each([
    ["[limit.api]", "a field", 'did you mean "limits"?'],
    ["limits.a = { limit = 1, perod = '1m' }", "a field of limits.a", 'did you mean "period"?'],
    ["[limits.a]", "limits.a.policy", "a policy such as"],
    ["limits.a = 5", "limits.a", "allowed is a text, which is its policy, or a table of policy, limit, period"],
    ["limits.a = { limit = 1 }", "limits.a.period", "from 1 ms"],
    ["limits.a = { limit = 0, period = '1m' }", "limits.a.limit", "a whole number from 1"],
    ["limits.a = { limit = 1, period = '1m', algorithm = 'gcr' }", "limits.a.algorithm", 'did you mean "gcra"?'],
    ["limits.a = { policy = '1/fortnight' }", "limits.a.policy.period", "minute"],
    ["limits.a = { policy = '1/m', burst = 2 }", "limits.a.burst", "none beside policy"],
    ["limits.a = { policy = '1/m', key = 'cooky:a' }", "limits.a.key", '"cookie:NAME"'],
    ["limits.a = { policy = '1/m', cost = 2 }", "limits.a.cost", "at most 1, which limits.a.policy can admit"],
    [
      "limits.a = { policy = '1/m', paths = [] }",
      "limits.a.paths",
      'a list of path prefixes such as "/api", at least 1',
    ],
    ["limits.a = { policy = '1/m', paths = ['api'] }", "limits.a.paths[0]", "a path such as"],
    ["limits.' a' = { policy = '1/m' }", "a name in limits", "printable ASCII"],
    [
      "limits.a = { policy = '1/m', paths = ['/'] }\nlimits.b = { policy = '1/m', paths = ['/'] }",
      "limits.b.paths",
      'as "a" does',
    ],
    [
      "limits.api = { policy = '1/m' }\ntiers.pro.limits.apy = '2/m'",
      "a name in tiers.pro.limits",
      'did you mean "api"?',
    ],
    [
      "limits.api = { policy = '5/m', cost = 5 }\ntiers.low.limits.api = '2/m'",
      "limits.api.cost",
      "at most 2, which tiers.low.limits.api can admit",
    ],
    [
      "limits.api = { policy = '5/m', cost = 5 }\ntenants.acme.limits.api = '2/m'",
      "limits.api.cost",
      "at most 2, which tenants.acme.limits.api can admit",
    ],
    ["limits.a = { limit = 1, period = '1m', cost = 2 }", "limits.a.cost", "at most 1, which limits.a can admit"],
    ["tiers.pro = {}\ntenants.acme.tier = 'prof'", "tenants.acme.tier", 'did you mean "pro"?'],
    [
      "limits.a = { policy = '1/m', penalty = { units = 1 } }",
      "limits.a.penalty.status",
      "allowed is a list of statuses such as 401, at least 1.",
    ],
    [
      "limits.a = { policy = '1/m', penalty = { status = [401] } }",
      "limits.a.penalty.units",
      "allowed is a whole number from 1 to 2147483648.",
    ],
    [
      "limits.a = { policy = '1/m', penalty = {} }",
      "limits.a.penalty.status",
      "allowed is a list of statuses such as 401, at least 1.",
    ],
    ["limits.a = { policy = '1/m', penalty = { status = [42], units = 1 } }", "limits.a.penalty.status[0]", "from 100"],
    ["limits.a = { policy = '1/m', delay = 'long' }", "limits.a.delay", "ms"],
    ["limits.a = { policy = '1/m', delay = '0s' }", "limits.a.delay", "from 1 ms"],
    ["limits.a = { policy = '1/m', block = '5m' }", "limits.a.block", 'is "5m", allowed is none beside policy'],
    [
      "limits.a = { limit = 1, period = '1m', algorithm = 'fixed_window', offset = '5m' }",
      "limits.a.offset",
      'is "5m", allowed is',
    ],
    [
      "limits.a = { policy = '1/m' }\ntiers.pro.limits.a = { limit = 1, period = '1m', cost = 2 }",
      "a field of tiers.pro.limits.a",
      'is "cost", allowed is one of limit',
    ],
    ["limits.a = { policy = ['1/m', { limt = 1 }] }", "a field of limits.a.policy.rules[1]", 'did you mean "limit"?'],
    ["sluice.toml", "the text", "what the file of that name holds: read it first"],
    ["limits.a = { limit = 1, period = 60000 }", "limits.a.period", 'with its unit, such as "60000ms" or "60000s".'],
    ["limits.a = { limit = 1, period = -5 }", "limits.a.period", 'with its unit, such as "10s" or "15m".'],
    ["limits.a = { limit = 1, period = 1e300 }", "limits.a.period", 'with its unit, such as "10s" or "15m".'],
    ["limits.a = { policy = { limit = 1, period = 60 } }", "limits.a.policy.period", 'such as "60ms" or "60s"'],
    [
      "limits.a = { policy = ['1/m', { limit = 1, period = '1m', block = 9 }] }",
      "limits.a.policy.rules[1].block",
      '"9ms" or "9s"',
    ],
    ["limits.a = { limit = 1 }", "limits.a.period", 'is undefined, allowed is a text such as "10s" or "15m"'],
    ["limits.a = '10/minuet'", "limits.a.policy.period", 'did you mean "minute"?'],
    ["failure = { timeout = 0.5 }", "failure.timeout", "a text with its unit"],
    [
      "limits.a = { policy = '1/m', delay = '1s' }",
      "limits.a.delay",
      'is "1s", allowed is none without a leaky_bucket',
    ],
    [
      "limits.a = { policy = '1/m' }\ngroups.g = { limits = ['a'], delay = '1s' }",
      "groups.g.delay",
      'is "1s", allowed is none without a leaky_bucket',
    ],
    ["allow = { address = ['192.0.2.1'] }", "a field of allow", 'did you mean "addresses"?'],
    ["deny = { addresses = ['192.0.2.1', 'localhost'] }", "deny.addresses[1]", "a network such as"],
    ["deny = { addresses = ['192.0.2.1/24'] }", "deny.addresses[0]", "whose bits after the prefix are 0"],
    ["limits.a = { policy = '1/m', allow = { keys = [''] } }", "limits.a.allow.keys[0]", "a key"],
    ["groups.g = {}", "groups.g.limits", "allowed is a list of names of limits, at least 1."],
    ["groups.g = { limits = [] }", "groups.g.limits", "a list of names of limits, at least 1"],
    ["limits.api = { policy = '1/m' }\ngroups.g = { limits = ['apy'] }", "groups.g.limits[0]", 'did you mean "api"?'],
    ["limits.a = { policy = '1/m' }\ngroups.g = { limits = ['a', 'a'] }", "groups.g.limits[1]", "each limit once"],
    ["limits.a = { policy = '1/m' }\ngroups.a = { limits = ['a'] }", "a name in groups", "a name that no limit has"],
    [
      "limits.a = { policy = '1/m as x' }\nlimits.b = { policy = '1/m as x' }\ngroups.g = { limits = ['a', 'b'] }",
      "groups.g.limits[1]",
      "other names than x",
    ],
    [
      `limits.${"n".repeat(57)} = { policy = '8/minute; 100/hour' }\ngroups.g = { limits = ['${"n".repeat(57)}'] }`,
      "a name in limits",
      `a shorter one, or a name of each rule: in a group one without is called "${"n".repeat(57)}-8-per-1m", of at most 64 characters`,
    ],
    [
      "limits.a = { policy = '1/m', paths = ['/'] }\ngroups.g = { limits = ['a'], paths = ['/'] }",
      "groups.g.paths",
      'as "a" does',
    ],
    ["headers.styles = ['draft-11', 'draft-7']", "headers.styles", "draft-11"],
    ["headers.styles = ['draft-12']", "headers.styles[0]", '"draft-11"'],
    ["headers.reset = 'delta'", "headers.reset", 'that only with the style "legacy"'],
    [
      "headers = { styles = ['draft-7'], quota_unit = 'bytes' }",
      "headers.quota_unit",
      'that only with the style "draft-11"',
    ],
    ["failure.timeout = '1x'", "failure.timeout", "ms"],
    ["failure.status = 500", "failure.status", "one of 429, 503"],
    ["jitter.max = '1500ms'", "jitter.max", "a multiple of 1000 ms"],
    ["jitter.enabled = 1", "jitter.enabled", "true or false"],
    ["analytics.sample_rate = 1.5", "analytics.sample_rate", "a number from 0 to 1"],
    ["worker.upstream = 'ftp://a'", "worker.upstream", "an http or https URL"],
    ["limits = 3", "limits", "a table"],
    ["limits.a = = 3", "line 1, column 12", "TOML"],
  ])("refuses %s, naming the field", (text, field, allowed) => {
    const error = errorOf(text)
    expect(error).toMatchObject({ name: "ConfigError", code: "CONFIG_INVALID", field })
    expect(error.message).toContain(allowed)
  })

  test("tells of a text in JSON or YAML that the object its parser makes is taken", () => {
    const hint = ", or of JSON and YAML the object that their parsers make."
    for (const text of [
      '{ "limits": {} }',
      '{\n  "limits": {}\n}',
      "limits:\n  api:\n    policy: 10/minute\n",
      "# limits\na: 1",
    ]) {
      expect(errorOf(text).message).toContain(hint)
    }
    expect(errorOf("limits.a = = 3").message).not.toContain("JSON")
  })

  test("an object counts as a file: its durations have a unit, too", () => {
    expect(errorOf({ limits: { a: { limit: 5, period: 60_000 } } }).field).toBe("limits.a.period")
    expect(errorOf({ failure: { timeout: 500 } }).message).toContain('such as "500ms" or "500s".')
  })

  test("names a policy that is null, as an empty one of YAML is", () => {
    const refused = "is null, allowed is a short form such as"
    expect(errorOf({ limits: { a: { policy: null } } })).toMatchObject({ field: "limits.a.policy", value: null })
    expect(errorOf({ limits: { a: { policy: null } } }).message).toContain(`limits.a.policy ${refused}`)
    const tiered = { limits: { a: "1/m" }, tiers: { pro: { limits: { a: null } } } }
    expect(errorOf(tiered).message).toContain(`tiers.pro.limits.a ${refused}`)
  })

  test("a group has at most 16 limits", () => {
    const names = Array.from({ length: 17 }, (_, index) => `l${index}`)
    const limits = Object.fromEntries(names.map((name) => [name, { policy: "1/m" }]))
    expect(errorOf({ limits, groups: { g: { limits: names } } })).toMatchObject({ field: "groups.g.limits.length" })
    expect(parseConfig({ limits, groups: { g: { limits: names.slice(1) } } }).groups.get("g")?.limits).toHaveLength(16)
  })

  test.each(["__proto__", "constructor", "toString", "hasOwnProperty", "valueOf"])(
    "a limit, tier, tenant and group may be called %s, and one that is not there is not found",
    (name) => {
      const text = `
        [limits.${name}]
        policy = "10/minute"
        [groups.g-${name}]
        limits = ["${name}"]
        [tiers.${name}.limits]
        ${name} = "20/minute"
        [tenants.${name}.limits]
        ${name} = "30/minute"`
      const asJson = `{"limits":{"${name}":{"policy":"10/minute"}},"groups":{"g-${name}":{"limits":["${name}"]}},
        "tiers":{"${name}":{"limits":{"${name}":"20/minute"}}},
        "tenants":{"${name}":{"limits":{"${name}":"30/minute"}}}}`
      for (const input of [text, JSON.parse(asJson)]) {
        const limits = fromConfig(input, { clock: new ManualClock(0) })
        expect([...limits.config.limits.keys()]).toEqual([name])
        const asked = (whose: object) => limits.check("a", { limit: name, ...whose })
        expect(asked({})).toMatchObject({ limit: 10, policy: name })
        expect(asked({ tier: name })).toMatchObject({ limit: 20, policy: name })
        expect(asked({ tenant: name })).toMatchObject({ limit: 30, policy: name })
        expect(limits.check(JSON.parse(`{"${name}":"a"}`), { limit: `g-${name}` })).toMatchObject({ remaining: 8 })
        expect(() => limits.check({}, { limit: `g-${name}` })).toThrow(KeyError)
      }
      const others = fromConfig('limits.a = { policy = "1/minute" }\ntiers.b.limits.a = "2/minute"')
      expect(() => others.check("a", { limit: name })).toThrow(LimitNotFound)
      expect(() => others.check("a", { limit: "a", tier: name })).toThrow(RangeError)
      expect(others.check("a", { limit: "a", tenant: name }).limit).toBe(1)
      expect(errorOf({ limits: { a: { policy: "1/m", key: name } } }).field).toBe("limits.a.key")
      expect(errorOf(`limits.a = { policy = "1/m", ${name} = 1 }`).field).toBe("a field of limits.a")
      expect(errorOf(`${name} = 1`).field).toBe("a field")
    },
  )

  test("refuses a key of keys that is more than eight deep, or in itself", () => {
    const nested = (depth: number): object | string => (depth === 0 ? "address" : { combine: [nested(depth - 1)] })
    const config = (key: unknown) => ({ limits: { a: { policy: "1/m", key } } })
    expect(() => parseConfig(config(nested(8)))).not.toThrow()
    const endless: { firstOf: unknown[] } = { firstOf: [] }
    endless.firstOf.push(endless)
    expect(errorOf(config(nested(9))).field).toBe(`limits.a.key${".combine[0]".repeat(8)}`)
    expect(errorOf(config(endless)).field).toBe(`limits.a.key${".firstOf[0]".repeat(8)}`)
  })

  test.each([null, undefined])("refuses %s in the place of a configuration or a table", (nothing) => {
    expect(errorOf(nothing as never)).toMatchObject({ field: "the configuration", value: null })
    if (nothing === null) expect(errorOf({ limits: nothing })).toMatchObject({ field: "limits", value: null })
    if (nothing === null) expect(errorOf({ headers: nothing })).toMatchObject({ field: "headers", value: null })
  })

  test("an object whose prototype is a table is refused, not read as empty", () => {
    expect(errorOf({ limits: { __proto__: { policy: "1/m" } } }).field).toBe("limits")
  })

  test("refuses what is no plain data", () => {
    expect(errorOf([]).message).toContain("the configuration")
    expect(
      errorOf({
        get limits() {
          return {}
        },
      }).message,
    ).toContain("without getters")
    expect(errorOf(new Map())).toMatchObject({ code: "CONFIG_INVALID" })
  })
})
