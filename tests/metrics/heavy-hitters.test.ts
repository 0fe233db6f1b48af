import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { HeavyHitters } from "../../src/metrics/heavy-hitters.js"

describe("HeavyHitters", () => {
  test("counts exactly while there is room", () => {
    const sketch = new HeavyHitters(3)
    for (const key of ["a", "b", "a", "c", "a", "b"]) sketch.add(key)
    expect(sketch.top(2)).toEqual([
      { key: "a", count: 3, error: 0 },
      { key: "b", count: 2, error: 0 },
    ])
  })

  test("a key without a counter takes over the smallest, with its count as error", () => {
    const sketch = new HeavyHitters(2)
    for (const key of ["a", "a", "b", "c"]) sketch.add(key)
    expect(sketch.top(2)).toEqual([
      { key: "a", count: 2, error: 0 },
      { key: "c", count: 2, error: 1 },
    ])
  })

  test("a key that was counted again meanwhile is not taken for the smallest", () => {
    const sketch = new HeavyHitters(3)
    for (const key of ["a", "b", "c", "a", "b", "a", "d"]) sketch.add(key)
    expect(sketch.top(3)).toEqual([
      { key: "a", count: 3, error: 0 },
      { key: "b", count: 2, error: 0 },
      { key: "d", count: 2, error: 1 },
    ])
    sketch.add("b")
    sketch.add("e")
    expect(sketch.top(3)).toEqual([
      { key: "a", count: 3, error: 0 },
      { key: "b", count: 3, error: 0 },
      { key: "e", count: 3, error: 2 },
    ])
  })

  test("never counts too low, nor too high by more than it says or total / capacity; misses no frequent key", () => {
    const stream = fc.array(fc.tuple(fc.nat({ max: 30 }), fc.integer({ min: 1, max: 5 })), { maxLength: 300 })
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 12 }), stream, (capacity, events) => {
        const sketch = new HeavyHitters(capacity)
        const exact = new Map<string, number>()
        for (const [number, times] of events) {
          sketch.add(`k${number}`, times)
          exact.set(`k${number}`, (exact.get(`k${number}`) ?? 0) + times)
        }
        const total = events.reduce((sum, [, times]) => sum + times, 0)
        const found = sketch.top(100)
        expect(found.length).toBeLessThanOrEqual(capacity)
        for (const { key, count, error } of found) {
          expect(count).toBeGreaterThanOrEqual(exact.get(key)!)
          expect(count - error).toBeLessThanOrEqual(exact.get(key)!)
          expect(error).toBeLessThanOrEqual(total / capacity)
        }
        for (const [key, count] of exact) {
          if (count > total / capacity) expect(found.map((each) => each.key)).toContain(key)
        }
      }),
    )
  })

  test.each([0, -1, 1.5, Number.NaN])("refuses a capacity of %d", (capacity) => {
    expect(() => new HeavyHitters(capacity)).toThrow(RangeError)
  })
})
