import { describe, expect, test } from "vitest"
import { formatPolicy } from "../../src/policy/format-policy.js"
import { parsePolicy } from "../../src/policy/parse-policy.js"
import type { PolicyInput } from "../../src/policy/policy.js"

describe("formatPolicy()", () => {
  test.each<[PolicyInput, string]>([
    ["10/second", "10/second"],
    [{ limit: 10, period: 1_000, burst: 20 }, "10/second burst 20"],
    [{ limit: 10, period: 1_000, burst: 10 }, "10/second"],
    ["100/15 minutes", "100/15m"],
    ["1/ms", "1/ms"],
    ["5/7d", "5/week"],
    ["3/90s sliding_window_counter", "3/90s sliding_window"],
    ["100/minute leaky_bucket burst 5 as api", "100/minute burst 5 leaky_bucket as api"],
    ["100/minute as default", "100/minute"],
    ["10/1s, 1000/60m", "10/second; 1000/hour"],
    ["10/second as 10-per-1s; 1000/hour as hourly", "10/second; 1000/hour as hourly"],
    ["10/second as a; 10/second as 10-per-1s-2", "10/second as a; 10/second as 10-per-1s-2"],
    ["1/second as 1-per-1s; 1/second as 1-per-1s-2", "1/second; 1/second"],
  ])("%j is %j", (input, text) => {
    expect(formatPolicy(parsePolicy(input))).toBe(text)
  })

  test.each<[PolicyInput, string]>([
    [{ limit: 5, period: "1m", block: "15m" }, '{"limit":5,"period":"1m","block":"15m"}'],
    [{ limit: 5, period: "1m", name: "of you" }, '{"limit":5,"period":"1m","name":"of you"}'],
    [
      { limit: 5, period: "1d", algorithm: "fixed_window", offset: "1h" },
      '{"limit":5,"period":"1d","algorithm":"fixed_window","offset":"1h"}',
    ],
    [
      { limit: 5, period: "1d", algorithm: "fixed_window", anchor: "first" },
      '{"limit":5,"period":"1d","algorithm":"fixed_window","anchor":"first"}',
    ],
    [
      ["10/second", { limit: 60, period: "1m", algorithm: "token_bucket", refill: { amount: 10, every: "10s" } }],
      '["10/second",{"limit":60,"period":"1m","algorithm":"token_bucket","refill":{"amount":10,"every":"10s"}}]',
    ],
  ])("what the short form cannot say is JSON: %j", (input, text) => {
    expect(formatPolicy(parsePolicy(input))).toBe(text)
  })
})
