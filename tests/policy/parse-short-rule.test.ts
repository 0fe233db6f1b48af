import { describe, expect, test } from "vitest"
import { parsePolicy } from "../../src/policy/parse-policy.js"
import type { Rule } from "../../src/policy/policy.js"
import { policyErrorOf } from "./policy-error-of.js"

/** A rule as it is where the user gave no more than the rate. */
const RULE: Rule = {
  name: "default",
  algorithm: "gcra",
  limit: 100,
  periodMs: 60_000,
  capacity: 100,
  refill: null,
  anchor: null,
  offsetMs: 0,
}

describe("parsePolicy() of a short form", () => {
  test.each<[string, Partial<Rule>]>([
    ["100/minute", {}],
    ["100 / 1 minute", {}],
    [" 100/1m\n", {}],
    ["100/60000ms", {}],
    ["10/second", { limit: 10, capacity: 10, periodMs: 1_000 }],
    ["10/s", { limit: 10, capacity: 10, periodMs: 1_000 }],
    ["1000/hour", { limit: 1_000, capacity: 1_000, periodMs: 3_600_000 }],
    ["10000/day", { limit: 10_000, capacity: 10_000, periodMs: 86_400_000 }],
    ["100/15m", { periodMs: 900_000 }],
    ["100/15 minutes", { periodMs: 900_000 }],
    ["100/15 minutes burst 20", { periodMs: 900_000, capacity: 20 }],
    ["100/minute burst 20", { capacity: 20 }],
    ["100/minute burst 200", { capacity: 200 }],
    ["100/minute sliding_window", { algorithm: "sliding_window" }],
    ["100/minute sliding_window_counter", { algorithm: "sliding_window" }],
    ["100/minute sliding_window_log", { algorithm: "sliding_window_log" }],
    ["100/minute fixed_window", { algorithm: "fixed_window", anchor: "epoch" }],
    ["100/minute fixed_window_counter", { algorithm: "fixed_window", anchor: "epoch" }],
    ["100/minute burst 20 as api", { capacity: 20, name: "api" }],
    ["100/minute as api/v1 token_bucket burst 20", { capacity: 20, name: "api/v1", algorithm: "token_bucket" }],
    ["100/minute as burst burst 20", { capacity: 20, name: "burst" }],
    ["2147483648/3650d", { limit: 2 ** 31, capacity: 2 ** 31, periodMs: 315_360_000_000 }],
  ])("reads %j", (text, fields) => {
    const policy = parsePolicy(text)
    expect(policy.rules).toEqual([{ ...RULE, ...fields }])
    expect(policy.blockMs).toBe(0)
    expect(policy.name).toBe(fields.name ?? "default")
  })

  test.each([
    ["10/second; 1000/hour", ["10-per-1s", "1000-per-1h"]],
    ["10/second,1000/hour burst 5", ["10-per-1s", "1000-per-1h"]],
    ["10/second as fast ;1000/hour, 5/90s", ["fast", "1000-per-1h", "5-per-90s"]],
  ])("reads the list %j as one policy", (text, names) => {
    const policy = parsePolicy(text)
    expect(policy.rules.map((rule) => rule.name)).toEqual(names)
    expect(policy.name).toBe(names.join("+"))
  })

  test.each<[string, string, unknown, RegExp]>([
    ["", "rule", "", /"100\/minute"/],
    ["100", "rule", "100", /"100\/minute"/],
    ["100 per minute", "rule", "100 per minute", /"100\/minute"/],
    ["/minute", "limit", "", /from 1 to 2147483648 in digits/],
    ["gcra 5/minute", "limit", "gcra 5", /in digits; "gcra" stands behind the period/],
    ["x/minute", "limit", "x", /digits/],
    ["1.5/minute", "limit", "1.5", /digits/],
    ["-1/minute", "limit", "-1", /digits/],
    ["+1/minute", "limit", "+1", /digits/],
    ["1e3/minute", "limit", "1e3", /digits/],
    ["0x10/minute", "limit", "0x10", /digits/],
    ["1_000/minute", "limit", "1_000", /digits/],
    ["٣/minute", "limit", "٣", /digits/],
    ["0/minute", "limit", 0, /from 1 to 2147483648/],
    ["2147483649/minute", "limit", 2 ** 31 + 1, /2147483648/],
    [`${"9".repeat(400)}/minute`, "limit", Number.POSITIVE_INFINITY, /2147483648/],
    ["10/", "period", "", /from 1 ms/],
    ["10/fortnight", "period", "fortnight", /one of ms, .*week/],
    ["10/2fortnights", "period", "2fortnights", /one of ms, .*week/],
    ["10/minuet", "period", "minuet", /did you mean "minute"/],
    ["10/60", "period", "60", /with its unit/],
    ["10/60 burst 5", "period", "60 burst", /one of ms/],
    ["10/1.5s", "period", "1.5s", /"1500ms"/],
    ["10/0s", "period", "0s", /from 1 ms/],
    ["10/11000d", "period", "11000d", /315360000000/],
    ["10/second/2", "period", "second/2", /one of ms/],
    ["10/second burst", "burst", "", /digits/],
    ["10/second burst x", "burst", "x", /digits/],
    ["10/second burst 0", "burst", 0, /from 1/],
    ["10/second burst 2147483649", "burst", 2 ** 31 + 1, /2147483648/],
    ["10/second burst 5 burst 5", "burst", 5, /said once/],
    ["10/second gcra gcra", "algorithm", "gcra", /said once/],
    ["10/second as a as b", "name", "b", /said once/],
    ["10/second as", "name", "", /one word/],
    ['10/second as "api"', "name", '"api"', /without quotes/],
    ["10/second as é", "name", "é", /printable ASCII/],
    ["10/second fixed_window burst 5", "burst", 5, /only gcra, token_bucket, leaky_bucket/],
    ["10/second brust 5", "option", "brust", /did you mean "burst"/],
    ["10/second token_buket", "option", "token_buket", /did you mean "token_bucket"/],
    ["10/second constructor", "option", "constructor", /"burst N"/],
    ["10/second;", "rules[1]", "", /"100\/minute"/],
    [";10/second", "rules[0]", "", /"100\/minute"/],
    ["1,000/hour", "rules[0]", "1", /"100\/minute"/],
    ["10/second; 0/hour", "rules[1].limit", 0, /from 1/],
    ["10/second as a; 5/hour as a", "rules[1].name", "a", /no other rule/],
    [Array(9).fill("1/s").join(";"), "rules.length", 9, /1 to 8/],
    [" ".repeat(16_385), "policy", " ".repeat(16_385), /at most 16384/],
    ["[1/s]", "policy", "[1/s]", /JSON of a rule/],
    ["{", "policy", "{", /JSON of a rule/],
    ["[]", "rules.length", 0, /1 to 8/],
    ["{}", "limit", undefined, /from 1/],
    ["[[]]", "rules[0]", [], /short form/],
    ['[[{"limit":1,"period":1}]]', "rules[0]", [{ limit: 1, period: 1 }], /short form/],
    ['{"limit":"100","period":1}', "limit", "100", /from 1/],
    ['{"limit":1,"period":1,"__proto__":{"burst":5}}', "field", "__proto__", /one of limit/],
    ['{"limit":1,"limit":2,"period":1}', "policy", '{"limit":1,"limit":2,"period":1}', /each field once/],
    ['{"limit":1.0000000000000000001,"period":1}', "policy", expect.stringContaining("1.000"), /digits only/],
    ['{"limit":1e2,"period":1}', "policy", expect.stringContaining("1e2"), /digits only/],
    ['{"limit":1,"period":-0}', "period", -0, /from 1 ms/],
    ["[".repeat(8_000) + "]".repeat(8_000), "rules[0]", expect.anything(), /short form/],
  ])("refuses %j", (text, field, value, allowed) => {
    const error = policyErrorOf(() => parsePolicy(text))
    expect(error.field).toBe(field)
    expect(error.value).toEqual(value)
    expect(error.allowed).toMatch(allowed)
  })

  test("says what is wrong in one sentence", () => {
    expect(policyErrorOf(() => parsePolicy("0/minute")).message).toBe(
      "Cannot make a policy: limit is 0, allowed is a whole number from 1 to 2147483648.",
    )
    expect(policyErrorOf(() => parsePolicy("1/s; 1/s brust 2")).message).toBe(
      'Cannot make a policy: rules[1].option is "brust", allowed is "burst N", an algorithm or "as NAME" (did you mean "burst"?).',
    )
  })
})
