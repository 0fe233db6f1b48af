import { expect, test } from "vitest"
import { formatSpan } from "../../src/lib/format-span.js"

test.each([
  [0, "0ms"],
  [999, "999ms"],
  [1_000, "1s"],
  [1_001, "2s"],
  [10_756, "11s"],
  [59_001, "1m"],
  [60_000, "1m"],
  [60_001, "1m 1s"],
  [3_599_001, "1h"],
  [3_600_001, "1h 1m"],
  [86_399_999, "1d"],
  [86_400_001, "1d 1h"],
  [90_000_000, "1d 1h"],
  [31_536_000_000, "365d"],
])("a span of %i ms is told as %s: never shorter than it is", (ms, told) => {
  expect(formatSpan(ms)).toBe(told)
  expect(formatSpan(ms, " ")).toBe(told.replace(/\d+/g, "$& "))
})
