import { describe, expect, test } from "vitest"
import { requireJitter, retryAfterSeconds } from "../../src/http/retry-after.js"

describe("retryAfterSeconds()", () => {
  test.each([
    [0, 1],
    [1, 1],
    [1_000, 1],
    [1_001, 2],
    [4_001, 5],
    [59_999, 60],
  ])("rounds %s ms up to %s s", (ms, seconds) => {
    expect(retryAfterSeconds(ms)).toBe(seconds)
  })

  test.each([
    [0, 5],
    [0.0999, 5],
    [0.1, 6],
    [0.999999, 14],
  ])("adds whole seconds of 0 to maxSeconds, each equally likely, at random %s", (random, seconds) => {
    expect(retryAfterSeconds(4_001, { maxSeconds: 9, random: () => random })).toBe(seconds)
  })

  test.each([-3, 1, 7])("never shortens nor exceeds, even where the random source says %s", (random) => {
    const seconds = retryAfterSeconds(4_001, { maxSeconds: 9, random: () => random })
    expect(seconds).toBe(random < 0 ? 5 : 14)
  })

  test.each([Number.NaN, undefined, "much"])("adds nothing where the random source says %s", (random) => {
    expect(retryAfterSeconds(4_001, { maxSeconds: 9, random: () => random as number })).toBe(5)
  })

  test.each([
    [Number.NaN, undefined, "retryAfterMs is NaN, allowed is a number of ms."],
    ["4001", undefined, 'retryAfterMs is "4001", allowed is a number of ms.'],
    [undefined, undefined, "retryAfterMs is undefined, allowed is a number of ms."],
    [4_001, {}, "jitter.maxSeconds is undefined, allowed is a whole number from 1 to 86400."],
    [4_001, { maxSeconds: 9, randon: Math.random }, 'option is "jitter.randon", allowed is maxSeconds, random'],
    [4_001, null, "jitter is null, allowed is an object."],
  ])("refuses %s ms with the jitter %j", (ms, jitter, text) => {
    const call = () => retryAfterSeconds(ms as number, jitter as never)
    expect(call).toThrow(RangeError)
    expect(call).toThrow(`Cannot rate limit: ${text}`)
  })

  test("uses Math.random where no source is given, and stays in range", () => {
    const seen = new Set(Array.from({ length: 500 }, () => retryAfterSeconds(1_000, { maxSeconds: 2 })))
    expect([...seen].sort()).toEqual([1, 2, 3])
  })
})

test.each([0, 1.5, Number.NaN, -1, 86_401])("requireJitter() refuses maxSeconds %s", (maxSeconds) => {
  expect(() => requireJitter({ maxSeconds })).toThrow(/jitter\.maxSeconds/)
})
