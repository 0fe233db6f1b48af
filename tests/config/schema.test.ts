import { readFileSync } from "node:fs"
import { Ajv } from "ajv"
import { describe, expect, test } from "vitest"
import { configSchema, parseConfig } from "../../src/config/index.js"

const accepts = new Ajv({ strict: true, allowUnionTypes: true }).compile(configSchema())

function isValid(config: object): boolean {
  try {
    parseConfig(config)
    return true
  } catch {
    return false
  }
}

const limit = (fields: object) => ({ limits: { a: fields } })
const rule = { limit: 100, period: "1m" }

describe("configSchema()", () => {
  test("is what sluice.schema.json holds: the build writes it", () => {
    expect(JSON.parse(readFileSync(new URL("../../sluice.schema.json", import.meta.url), "utf8"))).toEqual(
      configSchema(),
    )
  })

  test.each([
    {},
    { $schema: "./sluice.schema.json", ...limit(rule) },
    limit(rule),
    limit({ policy: "100/minute" }),
    limit({ policy: ["100/minute", rule] }),
    { limits: { a: "100/minute" } },
    limit({ ...rule, period: "60000ms", algorithm: "sliding_window_counter" }),
    limit({ ...rule, algorithm: "token_bucket", refill: { amount: 50, every: "30s" }, burst: 50 }),
    limit({ ...rule, algorithm: "fixed_window", anchor: "first" }),
    limit({ ...rule, algorithm: "fixed_window_counter", offset: "5s" }),
    { ...limit({ ...rule, anchor: "first" }), defaults: { algorithm: "fixed_window" } },
    limit({ policy: { ...rule, algorithm: "leaky_bucket", burst: 5 } }),
    { headers: { styles: ["draft-7", "draft-6", "legacy"] } },
    limit({ ...rule, key: { combine: ["address", { firstOf: ["header:X", "cookie:y"] }] }, paths: ["/"], cost: 0 }),
    limit({ ...rule, fail_mode: "local", timeout: "50 ms", block: "15 minutes" }),
    { ...limit(rule), tiers: { pro: { limits: { a: rule } }, free: {} }, tenants: { acme: { tier: "pro" } } },
    { failure: { status: 503 }, jitter: { max: "10s" }, analytics: { sample_rate: 0.1 }, headers: { styles: [] } },
    { failure: { status: "429" }, logging: { level: "info", decisions: "all", format: "json" }, key_prefix: "p" },
    {
      ...limit({ ...rule, algorithm: "leaky_bucket", delay: "5s", penalty: { status: [401, 403], units: 10 } }),
      groups: { g: { limits: ["a"] } },
    },
    {
      ...limit({ ...rule, algorithm: "leaky_bucket" }),
      groups: { g: { limits: ["a"], paths: ["/"], delay: "500ms", fail_mode: "open", timeout: "1s" } },
    },
    { allow: { addresses: ["192.0.2.0/24", "2001:db8::/32"], keys: ["ip:192.0.2.1"] }, deny: {} },
    limit({ ...rule, allow: { keys: [] }, deny: { addresses: ["::1"] } }),
    { worker: { upstream: "https://example.com" }, defaults: { algorithm: "gcra", key: "api-key:X-Key" } },
  ])("accepts, as the validator does, %j", (config) => {
    expect([isValid(config), accepts(config)]).toEqual([true, true])
  })

  test.each([
    { limit: {} },
    limit({ ...rule, perod: "1m" }),
    limit({ ...rule, limit: 0 }),
    limit({ ...rule, limit: 1.5 }),
    limit({ ...rule, period: "1" }),
    limit({ ...rule, period: 60 }),
    limit({ policy: { ...rule, period: 60 } }),
    limit({ policy: ["1/minute", { ...rule, block: 60 }] }),
    limit({ ...rule, algorithm: "token_bucket", refill: { amount: 50, every: 30 } }),
    { tiers: { pro: { limits: { a: { ...rule, period: 60 } } } }, ...limit(rule) },
    { failure: { timeout: 1 } },
    limit({ ...rule, algorithm: "gcr" }),
    limit({ policy: [] }),
    limit({ policy: { ...rule, perod: 1 } }),
    limit({ policy: 5 }),
    limit({}),
    limit({ limit: 5 }),
    limit({ policy: "1/minute", block: "1m" }),
    limit({ policy: "1/minute", limit: 5 }),
    limit({ policy: "1/minute", algorithm: "gcra" }),
    limit({ ...rule, algorithm: "sliding_window", burst: 5 }),
    limit({ ...rule, algorithm: "gcra", anchor: "first" }),
    limit({ ...rule, algorithm: "leaky_bucket", refill: { amount: 50, every: "30s" } }),
    limit({ policy: [{ ...rule, algorithm: "fixed_window", burst: 5 }] }),
    limit({ ...rule, paths: ["/a", "/a"] }),
    { ...limit(rule), groups: { g: { limits: ["a", "a"] } } },
    { headers: { styles: ["draft-7", "draft-11"] } },
    limit({ ...rule, key: "cooky:a" }),
    limit({ ...rule, key: { firstOf: [] } }),
    limit({ ...rule, paths: [] }),
    limit({ ...rule, paths: ["api"] }),
    limit({ ...rule, cost: -1 }),
    { limits: { " a": rule } },
    limit({ ...rule, delay: true }),
    limit({ ...rule, delay: 0 }),
    limit({ ...rule, penalty: {} }),
    limit({ ...rule, penalty: { status: [401] } }),
    limit({ ...rule, penalty: { status: [99], units: 1 } }),
    limit({ ...rule, penalty: { status: [], units: 1 } }),
    limit({ ...rule, penalty: { status: [401], units: 0 } }),
    limit({ ...rule, allow: ["192.0.2.1"] }),
    limit({ ...rule, allow: { address: ["192.0.2.1"] } }),
    { deny: { addresses: ["example.com"] } },
    { deny: { keys: [""] } },
    { groups: { g: {} } },
    { groups: { g: { limits: [] } } },
    { ...limit(rule), groups: { g: { limits: ["a"], policy: "1/minute" } } },
    { tiers: { pro: { limit: {} } } },
    { failure: { status: 500 } },
    { failure: { mode: "opn" } },
    { jitter: { enabled: "yes" } },
    { jitter: { max: 5_000 } },
    { analytics: { sample_rate: 2 } },
    { headers: { styles: ["draft-12"] } },
    { worker: { upstream: "ftp://a" } },
    { key_prefix: "é" },
  ])("refuses, as the validator does, %j", (config) => {
    expect([isValid(config), accepts(config)]).toEqual([false, false])
  })
})
