import { describe, expect, test } from "vitest"
import { benchModule } from "./bench-module.js"

const { median, percentile, ratioByRound, summarize } = await benchModule<{
  median(values: readonly number[]): number
  percentile(sorted: ArrayLike<number>, share: number): number
  ratioByRound(numerators: readonly number[], denominators: readonly number[]): number[]
  summarize(values: readonly number[]): { median: number; minimum: number; maximum: number }
}>("lib/statistics.mjs")

describe("median()", () => {
  test("takes the middle by size, not by text or position", () => {
    expect(median([100, 9, 20])).toBe(20)
  })

  test("takes the mean of the middle two of an even number of values", () => {
    expect(median([4, 1, 3, 2])).toBe(2.5)
  })

  test("leaves its input in order", () => {
    const values = [3, 1, 2]
    median(values)
    expect(values).toEqual([3, 1, 2])
  })

  test("refuses no values", () => {
    expect(() => median([])).toThrow(RangeError)
  })
})

describe("percentile()", () => {
  const hundred = Float64Array.from({ length: 100 }, (_, index) => index + 1)

  test.each([
    [0.5, 50],
    [0.07, 7],
    [0.99, 99],
    [1, 100],
    [0.001, 1],
  ])("takes the nearest rank: share %d of 1 … 100 is %d", (share, expected) => {
    expect(percentile(hundred, share)).toBe(expected)
  })

  test("never interpolates", () => {
    expect(percentile([1, 1000], 0.99)).toBe(1000)
    expect(percentile([1, 1000], 0.5)).toBe(1)
  })
})

test("summarize() gives median and range", () => {
  expect(summarize([5, 1, 9])).toEqual({ median: 5, minimum: 1, maximum: 9 })
})

describe("ratioByRound()", () => {
  test("pairs rounds, so that a drift which moves both sides cancels", () => {
    expect(ratioByRound([200, 20], [100, 10])).toEqual([2, 2])
  })

  test("refuses rounds without a partner", () => {
    expect(() => ratioByRound([1, 2], [1])).toThrow(RangeError)
  })
})
