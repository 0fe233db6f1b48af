import { describe, expect, test } from "vitest"
import { provenWait, searchWait } from "./smallest-wait.js"

describe("provenWait()", () => {
  test("returns the smallest wait and refuses every other", () => {
    expect(provenWait(7n, (wait) => wait >= 7n)).toBe(7n)
    expect(provenWait(0n, () => true)).toBe(0n)
    expect(() => provenWait(8n, (wait) => wait >= 7n)).toThrow("8 ms is not the smallest wait")
    expect(() => provenWait(6n, (wait) => wait >= 7n)).toThrow("6 ms is not the smallest wait")
    expect(() => provenWait(-1n, () => true)).toThrow("-1 ms is not the smallest wait")
  })
})

describe("searchWait()", () => {
  test("finds every smallest wait up to the horizon", () => {
    for (let smallest = 0n; smallest <= 100n; smallest++) {
      expect(searchWait(100n, (wait) => wait >= smallest)).toBe(smallest)
    }
    expect(() => searchWait(100n, (wait) => wait > 100n)).toThrow("nothing passes within 100 ms")
  })
})
