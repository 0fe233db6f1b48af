import { describe, expect, test } from "vitest"
import {
  configPolicies,
  decisionLog,
  fromConfig,
  limitNameFor,
  limitsByConfig,
  parseConfig,
  policyFor,
  rateLimitOptions,
} from "../../src/config/index.js"
import { rateLimit } from "../../src/http/index.js"
import { MemoryLimits } from "../../src/limiter/memory-limits.js"
import { show } from "../../src/types/errors.js"

const TEXT = `
  limits.api = { policy = "10/minute", deny = { keys = ["mallory"] } }
  limits.org = { policy = "20/minute" }
  groups.both = { limits = ["api", "org"] }
  tiers.pro.limits.api = "100/minute"
`
const config = parseConfig(TEXT)
/** Whatever a caller without types may write. */
const any = (value: unknown) => value as never

describe("options that there are not", () => {
  test.each([
    [
      "parseConfig()",
      () => parseConfig(TEXT, any({ enf: {} })),
      'read the configuration: option is "enf", allowed is env',
    ],
    [
      "parseConfig()",
      () => parseConfig(TEXT, any({ env: "A=1" })),
      'read the configuration: env is "A=1", allowed is an',
    ],
    ["fromConfig()", () => fromConfig(TEXT, any({ cloc: 1 })), 'make limits: option is "cloc", allowed is env, clock,'],
    ...[
      { log: (line: string) => console.info(line) },
      { log: {} },
      { log: null },
      { onSample: 5 },
      { random: 3 },
      { clock: 5 },
      { maxKeys: 0 },
    ].map((options): [string, () => unknown, string] => {
      const [[name, value]] = Object.entries(options) as [[string, unknown]]
      return [
        "fromConfig()",
        () => fromConfig(TEXT, any(options)),
        `make limits: ${name} is ${show(value)}, allowed is `,
      ]
    }),
    [
      "limitsByConfig()",
      () => limitsByConfig(any(5), config),
      "ask limits: limits is 5, allowed is an object with limit()",
    ],
    ["limitsByConfig()", () => limitsByConfig(any(fromConfig(TEXT)), config), "ask limits: limits is "],
    [
      "limitsByConfig()",
      () => limitsByConfig(new MemoryLimits(), config, any(5)),
      "ask limits: clock is 5, allowed is an",
    ],
    ["fromConfig()", () => fromConfig(TEXT, any({ limits: {} })), 'make limits: option is "limits", allowed is env'],
    [
      "policyFor()",
      () => policyFor(config, "api", any({ teir: "pro" })),
      'choose a policy: option is "teir", allowed is tenant, tier (did you mean "tier"?)',
    ],
    [
      "policyFor()",
      () => policyFor(config, "api", any("pro")),
      'choose a policy: options is "pro", allowed is an object',
    ],
    ["limitNameFor()", () => limitNameFor(config, "api", any({ tennant: "acme" })), '(did you mean "tenant"?)'],
    [
      "charge() of of()",
      () => (fromConfig(TEXT).of("api").charge as (...told: unknown[]) => void)("ada", 1, { tier: "pro" }),
      'Cannot charge: option is "tier", allowed is none.',
    ],
    ...["api", "both"].map((name): [string, () => unknown, string] => [
      "of()",
      () => fromConfig(TEXT).of(name, any({ tenat: "acme" })),
      'choose a policy: option is "tenat", allowed is tenant, tier (did you mean "tenant"?)',
    ]),
    ...[5, "acme", null, ["acme"]].map((whose): [string, () => unknown, string] => [
      "of()",
      () => fromConfig(TEXT).of("api", any(whose)),
      `choose a policy: options is ${show(whose)}, allowed is an object`,
    ]),
    ["of()", () => fromConfig(TEXT).of("api", any({ tier: 42 })), "tier is 42, allowed is one of pro"],
    [
      "rateLimitOptions()",
      () => rateLimitOptions(config, "api", any({ tennant: () => "acme" })),
      'rate limit: option is "tennant", allowed is tenant, tier,',
    ],
    [
      "rateLimitOptions()",
      () => rateLimitOptions(config, "api", any({ tier: "pro" })),
      'rate limit: tier is "pro", allowed is a function',
    ],
    [
      "rateLimitOptions()",
      () => rateLimitOptions(config, "api", any({ log: console.info })),
      "allowed is an object with info(), error()",
    ],
    [
      "policyFor()",
      () => policyFor(config, "api", any({ tier: 42 })),
      "choose a policy: tier is 42, allowed is one of pro.",
    ],
    [
      "policyFor()",
      () => policyFor(config, "api", any({ tenant: 42 })),
      "choose a policy: tenant is 42, allowed is a text.",
    ],
    [
      "check()",
      () => fromConfig(TEXT).check("ada", any({ limit: "api", tier: 42 })),
      "tier is 42, allowed is one of pro",
    ],
  ])("%s refuses them", (_name, call, text) => {
    expect(call).toThrow(RangeError)
    expect(call).toThrow(text)
  })

  test.each([
    ["policyFor()", () => policyFor(any(TEXT), "api"), "Cannot choose a policy: config is "],
    ["limitNameFor()", () => limitNameFor(any(null), "api"), "Cannot choose a policy: config is null"],
    ["configPolicies()", () => configPolicies(any(TEXT)), "Cannot tell policies: config is "],
    ["limitsByConfig()", () => limitsByConfig(new MemoryLimits(), any(TEXT)), "Cannot ask limits: config is "],
    ["rateLimitOptions()", () => rateLimitOptions(any(TEXT), "api"), "Cannot rate limit: config is "],
    [
      "rateLimitOptions()",
      () => rateLimitOptions(any(fromConfig(TEXT)), "api"),
      "parseConfig gives, as in its field config",
    ],
  ])("%s refuses what is no configuration", (_name, call, text) => {
    expect(call).toThrow(RangeError)
    expect(call).toThrow(text)
    expect(call).toThrow("allowed is what parseConfig gives")
  })

  test.each([
    [{ ...config.logging, level: "inof" }, 'logging.level is "inof", allowed is "silent" or "error" or "info".'],
    [{ ...config.logging, decisions: "none" }, 'logging.decisions is "none", allowed is "denied" or "all".'],
    [{ ...config.logging, format: null }, 'logging.format is null, allowed is "text" or "json".'],
    [{ level: "info", decisions: "all" }, 'logging.format is undefined, allowed is "text" or "json".'],
    [{ ...config.logging, levle: 1 }, 'option is "logging.levle", allowed is level, decisions, format (did you mean'],
    [config, "allowed is what parseConfig gives in its field logging."],
    [null, "logging is null, allowed is an object."],
    ["info", 'logging is "info", allowed is an object.'],
    [undefined, "logging is undefined, allowed is an object."],
  ])("decisionLog() refuses a logging that cannot be, case %#", (logging, text) => {
    expect(() => decisionLog(any(logging))).toThrow(RangeError)
    expect(() => decisionLog(any(logging))).toThrow("Cannot log decisions: ")
    expect(() => decisionLog(any(logging))).toThrow(text)
  })

  test("decisionLog() refuses an output and a clock that are none, at a level that needs neither too", () => {
    const needs = "allowed is an object with"
    expect(() => decisionLog(config.logging, any({}))).toThrow(`log decisions: output is {}, ${needs} info(), error().`)
    expect(() => decisionLog(config.logging, any(null))).toThrow(`output is null, ${needs} info(), error().`)
    expect(() => decisionLog(config.logging, console, any(5))).toThrow(`log decisions: clock is 5, ${needs} now().`)
  })

  test("decisionLog() takes every logging that parseConfig() does", () => {
    for (const level of ["silent", "error", "info"]) {
      for (const decisions of ["denied", "all"]) {
        for (const format of ["text", "json"]) {
          const { logging } = parseConfig({ logging: { level, decisions, format } })
          expect(Object.keys(decisionLog(logging))).toHaveLength({ silent: 0, error: 1 }[level] ?? 2)
        }
      }
    }
  })

  test("rateLimitOptions() tells onError of a tenant and a tier that are no texts, and the limit's own policy counts", async () => {
    const told: string[] = []
    const handler = rateLimit(() => new Response("ok"), {
      ...rateLimitOptions(config, "api", {
        tenant: () => any(42),
        tier: () => any(7),
        onError: (error) => void told.push(String(error)),
      }),
    })
    const { headers } = await handler(new Request("http://localhost/"))
    expect(headers.get("RateLimit-Policy")).toBe('"api";q=10;w=60')
    expect(told).toEqual([expect.stringContaining("tenant is 42"), expect.stringContaining("tier is 7")])
  })

  test("check() refuses them, whatever is asked, and charges nothing", () => {
    const limits = fromConfig(TEXT)
    for (const [key, limit] of [
      ["ada", "api"],
      ["mallory", "api"],
      ["ada", "both"],
    ] as const) {
      expect(() => limits.check(key, any({ limit, teir: "pro" }))).toThrow(
        'Cannot check: option is "teir", allowed is cost, id, limit, tenant, tier (did you mean "tier"?).',
      )
      expect(() => limits.check(key, any({ limit, cost: "1" }))).toThrow(RangeError)
      expect(() => limits.allow(key, any(5))).toThrow("Cannot check: options is 5, allowed is an object.")
    }
    expect(limits.limits.peek("ada", { limit: "api" }).remaining).toBe(10)
    expect(limits.check("ada", { limit: "api", tier: "pro", tenant: null, cost: 2 }).remaining).toBe(98)
  })
})
