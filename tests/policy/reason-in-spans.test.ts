import { describe, expect, test } from "vitest"
import { reasonInSpans } from "../../src/policy/reason-in-spans.js"

describe("reasonInSpans()", () => {
  test.each([
    ["The key is blocked for another 9838 ms.", "The key is blocked for another 10s."],
    [
      "The key is blocked for another 60000 ms, and its quota admits cost 2 in 3900000 ms.",
      "The key is blocked for another 1m, and its quota admits cost 2 in 1h 5m.",
    ],
    [
      'The rule "5 ms" (1 per 1m, gcra) has 0 left, which is less than cost 1: it admits it in 500 ms.',
      'The rule "5 ms" (1 per 1m, gcra) has 0 left, which is less than cost 1: it admits it in 500ms.',
    ],
    [
      'The rule "5 ms, and its quota admits" (1 per 1m, gcra) has 0 left, which is less than cost 1: it admits it in 500 ms.',
      'The rule "5 ms, and its quota admits" (1 per 1m, gcra) has 0 left, which is less than cost 1: it admits it in 500ms.',
    ],
  ])("%s", (because, told) => {
    expect(reasonInSpans(because)).toBe(told)
  })

  test("sets a number apart from its unit where that is asked for", () => {
    expect(reasonInSpans("The key is blocked for another 9838 ms.", " ")).toBe("The key is blocked for another 10 s.")
  })
})
