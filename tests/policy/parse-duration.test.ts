import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { formatDuration } from "../../src/policy/format-duration.js"
import { parseDuration, parseDurationUnit } from "../../src/policy/parse-duration.js"
import { PolicyError } from "../../src/types/errors.js"
import { policyErrorOf } from "./policy-error-of.js"

const TEN_YEARS_MS = 315_360_000_000

describe("parseDuration()", () => {
  test.each([
    [1, 1],
    [60_000, 60_000],
    [TEN_YEARS_MS, TEN_YEARS_MS],
    ["250ms", 250],
    ["10s", 10_000],
    ["1m", 60_000],
    ["2h", 7_200_000],
    ["1d", 86_400_000],
    ["1w", 604_800_000],
    ["3 millisecond", 3],
    ["3 milliseconds", 3],
    ["3sec", 3_000],
    ["1second", 1_000],
    ["15 seconds", 15_000],
    ["3min", 180_000],
    ["1minute", 60_000],
    ["15 minutes", 900_000],
    ["1hour", 3_600_000],
    ["2hours", 7_200_000],
    ["1day", 86_400_000],
    ["2days", 172_800_000],
    ["1week", 604_800_000],
    ["2 weeks", 1_209_600_000],
    [" 007s\n", 7_000],
    ["3650d", TEN_YEARS_MS],
    [`${TEN_YEARS_MS}ms`, TEN_YEARS_MS],
  ])("reads %j as %d ms", (input, durationMs) => {
    expect(parseDuration("period", input)).toBe(durationMs)
  })

  test.each([
    [0, /from 1 ms to 315360000000 ms/],
    [-1, /from 1 ms/],
    [-0, /from 1 ms/],
    [1.5, /a whole number of ms/],
    [Number.NaN, /a whole number of ms/],
    [Number.POSITIVE_INFINITY, /a whole number of ms/],
    [1e21, /315360000000/],
    [TEN_YEARS_MS + 1, /315360000000/],
    ["0s", /from 1 ms/],
    ["3651d", /315360000000/],
    [`${TEN_YEARS_MS + 1}ms`, /315360000000/],
    [`${"9".repeat(400)}w`, /315360000000/],
    ["1.5s", /"1500ms" for "1.5s"/],
    ["1.s", /"1500ms" for "1.5s"/],
    ["60000", /with its unit/],
    ["1.5", /a whole number, as in/],
    ["10fortnights", /one of ms, .*weeks$/],
    ["10 minuts", /did you mean "minute/],
    ["10S", /did you mean "s"/],
    ["", /a text such as/],
    ["s", /a text such as/],
    ["-5s", /a text such as/],
    ["+5s", /a text such as/],
    ["1h30m", /a text such as/],
    ["1e3ms", /a text such as/],
    ["0x10ms", /a text such as/],
    ["5constructor", /one of ms/],
    ["٣s", /a text such as/],
    ["1,000ms", /a text such as/],
    [10n, /a whole number of ms/],
    [true, /a whole number of ms/],
    [null, /a whole number of ms/],
    [undefined, /a whole number of ms/],
    [{}, /a whole number of ms/],
    [["10s"], /a whole number of ms/],
    [new Date(5), /a whole number of ms/],
    [Symbol("5"), /a whole number of ms/],
  ])("refuses %s", (input, allowed) => {
    const error = policyErrorOf(() => parseDuration("period", input))
    expect(error.field).toBe("period")
    expect(error.value).toBe(input)
    expect(error.allowed).toMatch(allowed)
  })

  test("keeps to the range that the caller gives, both ends included", () => {
    const range = { minMs: 0, maxMs: 999 }
    expect(parseDuration("offset", 0, range)).toBe(0)
    expect(parseDuration("offset", "0s", range)).toBe(0)
    expect(parseDuration("offset", "999ms", range)).toBe(999)
    expect(policyErrorOf(() => parseDuration("offset", -0, range)).field).toBe("offset")
    expect(policyErrorOf(() => parseDuration("offset", "1s", range)).allowed).toMatch(/from 0 ms to 999 ms/)
  })

  test("answers hostile texts without delay or another error", () => {
    for (const text of ["9".repeat(1e5), " ".repeat(1e5), `1${" ".repeat(1e5)}!`, `1${"s".repeat(1e5)}`]) {
      expect(() => parseDuration("period", text)).toThrow(PolicyError)
    }
  })

  test("reads back every duration that formatDuration() writes", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 3_650 }),
        fc.constantFrom(1, 1_000, 60_000, 86_400_000),
        (count, unitMs) => {
          expect(parseDuration("period", formatDuration(count * unitMs))).toBe(count * unitMs)
        },
      ),
    )
  })
})

describe("parseDurationUnit()", () => {
  test("knows the length of a unit and shows the value it is given", () => {
    expect(parseDurationUnit("period", "minute", "minute")).toBe(60_000)
    const error = policyErrorOf(() => parseDurationUnit("period", "10/fortnight", "fortnight"))
    expect(error.value).toBe("10/fortnight")
    expect(error.message).toMatch(
      /^Cannot make a policy: period is "10\/fortnight", allowed is a duration in one of ms,/,
    )
  })
})

describe("formatDuration()", () => {
  test.each([
    [0, "0ms"],
    [1, "1ms"],
    [1_000, "1s"],
    [1_500, "1500ms"],
    [60_000, "1m"],
    [90_000, "90s"],
    [3_600_000, "1h"],
    [86_400_000, "1d"],
    [604_800_000, "1w"],
    [TEN_YEARS_MS, "3650d"],
  ])("writes %d ms as %j", (durationMs, text) => {
    expect(formatDuration(durationMs)).toBe(text)
  })
})
