import { parseDictionary, parseList } from "structured-headers"
import { describe, expect, test } from "vitest"
import { guardRequests } from "../../src/http/guard.js"
import {
  decisionFields,
  type FieldContext,
  type FieldFormat,
  headerStyles,
  rateLimitFields,
} from "../../src/http/rate-limit-fields.js"
import { type LimitPart, mergeDecisions } from "../../src/http/request-decision.js"
import { RateLimiter } from "../../src/limiter/rate-limiter.js"
import { parsePolicy } from "../../src/policy/parse-policy.js"
import type { Policy } from "../../src/policy/policy.js"
import { ManualClock } from "../../src/types/clock.js"
import type { Decision, RuleDecision } from "../../src/types/decision.js"
import { show } from "../../src/types/errors.js"
import { decisionOf, denialOf } from "./fake-limiter.js"
import { requestOf } from "./requests.js"

const policy = parsePolicy("10/minute")
const twoRules = parsePolicy([
  { name: "burst", limit: 10, period: "1s" },
  { name: "daily", limit: 1_000, period: "1d" },
])

function ruleOf(told: Partial<RuleDecision>): RuleDecision {
  return {
    policy: "burst",
    algorithm: "gcra",
    limit: 10,
    periodMs: 1_000,
    remaining: 0,
    retryAfterMs: 0,
    resetAfterMs: 0,
    ...told,
  }
}

/** What a limiter of a policy tells of a key that nobody asked about. */
function decidedUnder(text: string): Decision {
  return new RateLimiter(text).peek("a")
}

/** The items of a list field as a strict parser reads them. */
function items(fields: Record<string, string>, name: string): [unknown, Record<string, unknown>][] {
  return parseList(fields[name]!).map(([value, parameters]) => [value, Object.fromEntries(parameters)])
}

describe("rateLimitFields() in draft-11", () => {
  test("tells quota and window, and what is left until full, of an allowed request", () => {
    const fields = rateLimitFields(policy, decisionOf({ remaining: 9, resetAfterMs: 5_001 }), 0)
    expect(Object.keys(fields).sort()).toEqual(["RateLimit", "RateLimit-Policy"])
    expect(items(fields, "RateLimit-Policy")).toEqual([["default", { q: 10, w: 60 }]])
    expect(items(fields, "RateLimit")).toEqual([["default", { r: 9, t: 6 }]])
  })

  test("writes the field as the draft shows it", () => {
    const fields = rateLimitFields(policy, decisionOf(), 0)
    expect(fields).toEqual({ "RateLimit-Policy": '"default";q=10;w=60', RateLimit: '"default";r=9;t=6' })
  })

  test("has t of at least 1 when the quota is full", () => {
    const fields = rateLimitFields(policy, decisionOf({ remaining: 10, resetAfterMs: 0, cost: 0 }), 0)
    expect(items(fields, "RateLimit")).toEqual([["default", { r: 10, t: 1 }]])
  })

  test("has t of the wait, rounded up, on a denial", () => {
    const fields = rateLimitFields(policy, denialOf({ retryAfterMs: 4_001, resetAfterMs: 60_000, remaining: 2 }), 0)
    expect(items(fields, "RateLimit")).toEqual([["default", { r: 2, t: 5 }]])
  })

  test("has one item per rule in the policy's order", () => {
    const decision = decisionOf({
      policy: "daily",
      rules: [
        ruleOf({ remaining: 9, resetAfterMs: 100 }),
        ruleOf({ policy: "daily", limit: 1_000, periodMs: 86_400_000, remaining: 3, resetAfterMs: 86_000_001 }),
      ],
    })
    const fields = rateLimitFields(twoRules, decision, 0)
    expect(items(fields, "RateLimit-Policy")).toEqual([
      ["burst", { q: 10, w: 1 }],
      ["daily", { q: 1_000, w: 86_400 }],
    ])
    expect(items(fields, "RateLimit")).toEqual([
      ["burst", { r: 9, t: 1 }],
      ["daily", { r: 3, t: 86_001 }],
    ])
  })

  test("has no t beyond Retry-After on a denial, for the rules that would have admitted too", () => {
    const rules = [
      ruleOf({ retryAfterMs: 1_500, resetAfterMs: 3_000 }),
      ruleOf({ policy: "daily", remaining: 900, resetAfterMs: 8_000_000 }),
    ]
    const fields = rateLimitFields(twoRules, denialOf({ policy: "burst", retryAfterMs: 1_500, rules }), 0)
    expect(items(fields, "RateLimit")).toEqual([
      ["burst", { r: 0, t: 2 }],
      ["daily", { r: 900, t: 2 }],
    ])
  })

  test("has nothing left and t of the block while the key is blocked", () => {
    const rules = [
      ruleOf({ remaining: 4, resetAfterMs: 500 }),
      ruleOf({ policy: "daily", remaining: 900, resetAfterMs: 8_000 }),
    ]
    const decision = denialOf({ policy: "burst", reason: "blocked", retryAfterMs: 60_000, remaining: 4, rules })
    expect(items(rateLimitFields(twoRules, decision, 0), "RateLimit")).toEqual([
      ["burst", { r: 0, t: 60 }],
      ["daily", { r: 0, t: 60 }],
    ])
  })

  test("has nothing left and t of the block on the denial that begins it, as on those that follow", () => {
    const blocking = parsePolicy([
      { limit: 5, period: "1m", block: "10m", name: "burst" },
      { limit: 900, period: "1d", name: "daily" },
    ])
    const limiter = new RateLimiter(blocking, { clock: new ManualClock(0) })
    limiter.check("a", { cost: 3 })
    const first = limiter.check("a", { cost: 3 })
    const second = limiter.check("a", { cost: 3 })
    expect([first, second].map(({ reason, remaining }) => [reason, remaining])).toEqual([
      ["limit", 2],
      ["blocked", 2],
    ])
    for (const denial of [first, second]) {
      expect(items(rateLimitFields(blocking, denial, 0), "RateLimit")).toEqual([
        ["burst", { r: 0, t: 600 }],
        ["daily", { r: 0, t: 600 }],
      ])
    }
  })

  test("tells the policy that decided where it is another than was sent, of an only rule without its period", () => {
    const newer = decisionOf({ limit: 100, remaining: 95, resetAfterMs: 3_000 })
    const styles = ["draft-11", "draft-6"] as const
    expect(rateLimitFields(policy, newer, 0)["RateLimit-Policy"]).toBe('"default";q=100')
    expect(rateLimitFields(policy, newer, 0, { headers: "draft-6" })).not.toHaveProperty("RateLimit-Policy")
    const rules = [ruleOf({ limit: 7 }), ruleOf({ policy: "hourly", limit: 50, periodMs: 3_600_000 })]
    const fields = styles.map((headers) => rateLimitFields(twoRules, decisionOf({ rules }), 0, { headers }))
    expect(fields.map((each) => each["RateLimit-Policy"])).toEqual([
      '"burst";q=7;w=1, "hourly";q=50;w=3600',
      "7;w=1, 50;w=3600",
    ])
  })

  test("tells in both fields the rules that decided, where fewer were left or they are called otherwise", () => {
    for (const [sent, held] of [
      ["100/minute; 1000/hour", "100/minute"],
      ["100/minute as old", "100/minute as new"],
    ] as const) {
      const fields = rateLimitFields(parsePolicy(sent), decidedUnder(held), 0)
      const name = parsePolicy(held).rules[0].name
      expect(items(fields, "RateLimit-Policy")).toEqual([[name, { q: 100, w: 60 }]])
      expect(items(fields, "RateLimit").map(([item]) => item)).toEqual([name])
    }
  })

  test("leaves out w where the period is no whole number of seconds", () => {
    const text = "10/1500ms; 5/250ms"
    const fields = rateLimitFields(parsePolicy(text), decidedUnder(text), 0)
    expect(items(fields, "RateLimit-Policy").map(([, parameters]) => parameters)).toEqual([{ q: 10 }, { q: 5 }])
  })

  test("carries qu and pk on the items they belong to", () => {
    const partitionKey = Uint8Array.of(1, 2, 255)
    const fields = rateLimitFields(policy, decisionOf(), 0, { quotaUnit: "content-bytes", partitionKey })
    const [[, quota]] = items(fields, "RateLimit-Policy") as [[unknown, Record<string, unknown>]]
    const [[, limit]] = items(fields, "RateLimit") as [[unknown, Record<string, unknown>]]
    expect(quota).toMatchObject({ q: 10, qu: "content-bytes", w: 60 })
    for (const { pk } of [quota, limit] as { pk?: unknown }[]) {
      expect(new Uint8Array(pk as ArrayBuffer)).toEqual(partitionKey)
    }
  })

  test("carries the largest policy there can be, and an endless wait", () => {
    const largest = parsePolicy({ limit: 2 ** 31, period: 315_360_000_000, name: "~" })
    const decision = denialOf({
      policy: "~",
      limit: 2 ** 31,
      retryAfterMs: Number.POSITIVE_INFINITY,
      remaining: 2 ** 31,
    })
    const fields = rateLimitFields(largest, decision, 0)
    expect(items(fields, "RateLimit-Policy")).toEqual([["~", { q: 2 ** 31, w: 315_360_000 }]])
    expect(items(fields, "RateLimit")).toEqual([["~", { r: 2 ** 31, t: 999_999_999_999_999 }]])
  })

  test("refuses a rule's name that no header can carry", () => {
    expect(() => rateLimitFields(policy, decisionOf({ policy: "a\r\nb" }), 0)).toThrow(RangeError)
  })

  test.each(["fail-open", "fail-closed"] as const)("tells only the policy where the reason is %s", (reason) => {
    const context: FieldContext = { headers: ["draft-11", "legacy"] }
    const fields = rateLimitFields(policy, decisionOf({ reason, allowed: reason === "fail-open" }), 0, context)
    expect(fields).toEqual({ "RateLimit-Policy": '"default";q=10;w=60' })
  })

  test("tells the local limiter's numbers where the reason is fail-local", () => {
    const fields = rateLimitFields(policy, decisionOf({ reason: "fail-local" }), 0)
    expect(fields).toMatchObject({ RateLimit: '"default";r=9;t=6' })
  })
})

describe("rateLimitFields() in draft-11, of a policy that was told before", () => {
  const told = (told: Policy, decision: Decision, context: FieldContext = {}) =>
    rateLimitFields(told, decision, 0, context)["RateLimit-Policy"]

  test("has the unit of the response, of a policy that others tell in another", () => {
    const quotaUnits = [undefined, "a", "b", undefined, "", "b"]
    expect(quotaUnits.map((quotaUnit) => told(policy, decisionOf(), { quotaUnit }))).toEqual([
      '"default";q=10;w=60',
      '"default";q=10;qu="a";w=60',
      '"default";q=10;qu="b";w=60',
      '"default";q=10;w=60',
      '"default";q=10;qu="";w=60',
      '"default";q=10;qu="b";w=60',
    ])
  })

  test("has the partition key of the response, on every item", () => {
    const decision = decidedUnder("10/minute; 1000/day")
    const fields = [[1], [2], undefined, [1]].map((bytes) => {
      const partitionKey = bytes && Uint8Array.from(bytes)
      return rateLimitFields(parsePolicy("10/minute; 1000/day"), decision, 0, { quotaUnit: "u", partitionKey })
    })
    const expected = (pk: string) => ({
      "RateLimit-Policy": `"10-per-1m";q=10;qu="u";w=60${pk}, "1000-per-1d";q=1000;qu="u";w=86400${pk}`,
      RateLimit: `"10-per-1m";r=10;t=1${pk}, "1000-per-1d";r=1000;t=1${pk}`,
    })
    expect(fields).toEqual([";pk=:AQ==:", ";pk=:Ag==:", "", ";pk=:AQ==:"].map(expected))
  })

  test("has the rules that decided, whichever of their fields is another, and its own again", () => {
    const own = decidedUnder("10/second as burst; 1000/day as daily").rules!
    const [burst, daily] = own as [RuleDecision, RuleDecision]
    const others = [
      [{ ...burst, policy: "other" }, daily],
      [burst, { ...daily, limit: 999 }],
      [{ ...burst, periodMs: 2_000 }, daily],
      [burst],
      [daily, burst],
      [burst, daily, ruleOf({ policy: "third", limit: 5 })],
    ]
    const BURST = '"burst";q=10;w=1'
    const DAILY = '"daily";q=1000;w=86400'
    const texts = [own, ...others, own].map((rules) => told(twoRules, decisionOf({ rules })))
    expect(texts).toEqual([
      `${BURST}, ${DAILY}`,
      `"other";q=10;w=1, ${DAILY}`,
      `${BURST}, "daily";q=999;w=86400`,
      `"burst";q=10;w=2, ${DAILY}`,
      BURST,
      `${DAILY}, ${BURST}`,
      `${BURST}, ${DAILY}, "third";q=5;w=1`,
      `${BURST}, ${DAILY}`,
    ])
  })

  test("has the only rule that decided, and the policy's own where nobody was asked", () => {
    const decisions = [
      decisionOf(),
      decisionOf({ limit: 11 }),
      decisionOf({ policy: "new" }),
      decisionOf({ limit: 11, policy: "new", reason: "fail-closed", allowed: false }),
      decisionOf({ rules: [ruleOf({ policy: "default", periodMs: 30_000 })] }),
      decisionOf(),
    ]
    expect(decisions.map((decision) => told(policy, decision))).toEqual([
      '"default";q=10;w=60',
      '"default";q=11',
      '"new";q=10;w=60',
      '"default";q=10;w=60',
      '"default";q=10;w=30',
      '"default";q=10;w=60',
    ])
  })
})

describe("decisionFields()", () => {
  const ALONE: FieldFormat = { styles: headerStyles() }
  const part = (told: Partial<Decision> = {}): LimitPart => ({ policy, decision: decisionOf(told) })

  test("of one limit are those of rateLimitFields(), in every style and with a partition key", () => {
    const decision = denialOf({ rules: [ruleOf({ policy: "default", retryAfterMs: 4_001, periodMs: 60_000 })] })
    const partitionKey = Uint8Array.of(1, 2, 255)
    const headers: FieldContext["headers"][] = [
      undefined,
      false,
      [],
      "draft-11",
      ["legacy", "draft-11", "draft-6"],
      ["draft-7", "legacy"],
    ]
    for (const asked of headers) {
      const format: FieldFormat = { styles: headerStyles(asked), legacyReset: "delta", quotaUnit: "u" }
      const context: FieldContext = { headers: asked, legacyReset: "delta", quotaUnit: "u" }
      const parts = [{ policy, decision }]
      const written = [[], [partitionKey]].map((keys) => decisionFields({ decision, parts }, 5_000, format, keys))
      const expected = [context, { ...context, partitionKey }].map((each) =>
        rateLimitFields(policy, decision, 5_000, each),
      )
      expect(written.map((fields) => Object.entries(fields))).toEqual(expected.map((fields) => Object.entries(fields)))
    }
  })

  test("of one limit whose policy could not be had are none", () => {
    const decision = decisionOf({ reason: "fail-open" })
    const parts = [{ policy: undefined, decision }]
    for (const headers of ["draft-11", "legacy"] as const) {
      expect(decisionFields({ decision, parts }, 0, { styles: headerStyles(headers) }, [])).toEqual({})
    }
  })

  test("of two limits of one policy have a partition key each", () => {
    const parts = [part({ key: "a" }), part({ key: "b" })]
    const keys = [Uint8Array.of(1), Uint8Array.of(2)]
    expect(decisionFields({ decision: mergeDecisions(parts), parts }, 0, ALONE, keys)).toEqual({
      "RateLimit-Policy": '"default";q=10;w=60;pk=:AQ==:, "default";q=10;w=60;pk=:Ag==:',
      RateLimit: '"default";r=9;t=6;pk=:AQ==:, "default";r=9;t=6;pk=:Ag==:',
    })
  })
})

test("guardRequests() tells each request the policy that a function chose for it, and the unit of its own options", async () => {
  const clock = new ManualClock(0)
  const policyOf = (request: Request) => request.headers.get("policy")!
  const guards = ["bytes", "calls"].map((quotaUnit) =>
    guardRequests({ policy: policyOf, key: () => "a", quotaUnit, clock }),
  )
  const texts: (string | undefined)[] = []
  for (const text of ["10/minute", "20/minute; 30/hour", "10/minute"]) {
    for (const guard of guards) texts.push((await guard(requestOf({ policy: text }))).fields["RateLimit-Policy"])
  }
  const one = (qu: string) => `"default";q=10;qu="${qu}";w=60`
  const two = (qu: string) => `"20-per-1m";q=20;qu="${qu}";w=60, "30-per-1h";q=30;qu="${qu}";w=3600`
  expect(texts).toEqual([one("bytes"), one("calls"), two("bytes"), two("calls"), one("bytes"), one("calls")])
})

describe("rateLimitFields() in the older styles", () => {
  test("draft-7 is a dictionary of the rule that binds, with the policy by number", () => {
    const binding = { policy: "daily", limit: 1_000, remaining: 3, resetAfterMs: 7_200 }
    const rules = [ruleOf({ remaining: 9 }), ruleOf({ ...binding, periodMs: 86_400_000 })]
    const decision = decisionOf({ ...binding, rules })
    const fields = rateLimitFields(twoRules, decision, 0, { headers: "draft-7" })
    const field = new Headers(fields).get("RateLimit")!
    const dictionary = Array.from(parseDictionary(field), ([key, [value]]) => [key, value])
    expect(Object.fromEntries(dictionary)).toEqual({ limit: 1_000, remaining: 3, reset: 8 })
    expect(items(fields, "RateLimit-Policy")).toEqual([
      [10, { w: 1 }],
      [1_000, { w: 86_400 }],
    ])
    expect(field).toBe("limit=1000, remaining=3, reset=8")
  })

  test("draft-6 has a field each", () => {
    const fields = rateLimitFields(policy, denialOf(), 0, { headers: "draft-6" })
    expect(fields).toEqual({
      "RateLimit-Limit": "10",
      "RateLimit-Remaining": "0",
      "RateLimit-Reset": "5",
      "RateLimit-Policy": "10;w=60",
    })
  })

  test("drafts 6 and 7 tell no rule without whole seconds, and of equal limits the longest period", () => {
    const mixed = "10/second; 5/250ms; 10/hour; 10/minute; 20/day"
    for (const headers of ["draft-6", "draft-7"] as const) {
      const fields = rateLimitFields(parsePolicy(mixed), decidedUnder(mixed), 0, { headers })
      expect(fields["RateLimit-Policy"]).toBe("10;w=3600, 20;w=86400")
    }
    const fields = rateLimitFields(parsePolicy("5/250ms"), decisionOf(), 0, { headers: "draft-6" })
    expect(fields).not.toHaveProperty("RateLimit-Policy")
  })

  test("legacy tells the epoch second of the reset, rounded up, or the seconds until", () => {
    const decision = decisionOf({ resetAfterMs: 5_500 })
    const epoch = rateLimitFields(policy, decision, 1_700_000_000_700, { headers: "legacy" })
    expect(epoch).toEqual({
      "X-RateLimit-Limit": "10",
      "X-RateLimit-Remaining": "9",
      "X-RateLimit-Reset": "1700000007",
    })
    const delta = rateLimitFields(policy, decision, 1_700_000_000_700, { headers: "legacy", legacyReset: "delta" })
    expect(delta["X-RateLimit-Reset"]).toBe("6")
  })

  test("legacy tells the time of the retry on a denial", () => {
    const fields = rateLimitFields(policy, denialOf({ retryAfterMs: 1_500 }), 10_000, { headers: "legacy" })
    expect(fields["X-RateLimit-Reset"]).toBe("12")
  })
})

describe("rateLimitFields() in several styles", () => {
  test("writes them all, RateLimit-Policy as the newest has it", () => {
    const fields = rateLimitFields(policy, decisionOf(), 0, { headers: ["draft-11", "draft-6", "legacy"] })
    expect(Object.keys(fields).sort()).toEqual([
      "RateLimit",
      "RateLimit-Limit",
      "RateLimit-Policy",
      "RateLimit-Remaining",
      "RateLimit-Reset",
      "X-RateLimit-Limit",
      "X-RateLimit-Remaining",
      "X-RateLimit-Reset",
    ])
    expect(fields["RateLimit-Policy"]).toBe('"default";q=10;w=60')
  })

  test("writes none with false", () => {
    expect(rateLimitFields(policy, decisionOf(), 0, { headers: false })).toEqual({})
  })
})

describe("rateLimitFields() without a time", () => {
  const write = (nowMs: unknown, context: FieldContext) => {
    return rateLimitFields(policy, decisionOf(), nowMs as number, context)
  }

  test.each([undefined, null, Number.NaN, "0"])("refuses %s where a field tells the time", (nowMs) => {
    for (const headers of ["legacy", ["draft-11", "legacy"]] as const) {
      const call = () => write(nowMs, { headers })
      expect(call).toThrow(RangeError)
      expect(call).toThrow(`Cannot rate limit: nowMs is ${show(nowMs)}, allowed is a number of ms.`)
    }
  })

  test("writes the fields that tell none", () => {
    expect(write(undefined, {})).toEqual(rateLimitFields(policy, decisionOf(), 0))
    expect(write(undefined, { headers: "legacy", legacyReset: "delta" })["X-RateLimit-Reset"]).toBe("6")
  })
})

describe("headerStyles()", () => {
  test("refuses two styles that write the same field", () => {
    expect(() => headerStyles(["draft-7", "draft-11"])).toThrow(/one of the two/)
  })

  test.each(["draft-8", "toString", ""])("refuses the unknown style %j", (style) => {
    expect(() => headerStyles(style as "legacy")).toThrow(RangeError)
  })
})

describe("rateLimitFields() with options that cannot be", () => {
  test.each([
    [{ header: "legacy" }, 'option is "header", allowed is headers, legacyReset, quotaUnit, partitionKey'],
    [{ legacyReset: "delt" }, 'legacyReset is "delt", allowed is "epoch" or "delta"'],
    [{ partitionKey: "secret" }, 'partitionKey is "secret", allowed is bytes'],
    [{ quotaUnit: "é" }, "allowed is printable ASCII"],
    ["legacy", 'options is "legacy", allowed is an object'],
  ])("refuses %j", (context, text) => {
    const call = () => rateLimitFields(policy, decisionOf(), 0, context as FieldContext)
    expect(call).toThrow(RangeError)
    expect(call).toThrow(text)
  })
})
