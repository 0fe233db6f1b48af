import fc from "fast-check"
import { describe, expect, test, vi } from "vitest"
import { BoundedMap } from "../../src/lib/bounded-map.js"
import { assertProperty, propertyOf } from "../property/assert-property.js"

describe("BoundedMap", () => {
  test("set() lets the entry go that was set longest ago", () => {
    const map = new BoundedMap<string, number>(2)
    map.set("a", 1).set("b", 2).set("c", 3)
    expect([...map]).toEqual([
      ["b", 2],
      ["c", 3],
    ])
  })

  test("set() of an entry that is there makes it the newest, and lets none go", () => {
    const map = new BoundedMap<string, number>(2)
    map.set("a", 1).set("b", 2).set("a", 3)
    expect([...map.keys()]).toEqual(["b", "a"])
    map.set("c", 4)
    expect([...map]).toEqual([
      ["a", 3],
      ["c", 4],
    ])
  })

  test("get() leaves the order as it is", () => {
    const map = new BoundedMap<string, number>(2)
    map.set("a", 1).set("b", 2)
    expect(map.get("a")).toBe(1)
    expect([...map.set("c", 3).keys()]).toEqual(["b", "c"])
  })

  test("one that lets an entry go with each new one looks for the oldest from where it was", () => {
    const map = new BoundedMap<number, number>(100)
    const keys = vi.spyOn(map, "keys")
    for (let key = 0; key < 10_000; key++) map.set(key, key)
    expect(keys).toHaveBeenCalledTimes(1)
    expect(map.size).toBe(100)
    expect(map.has(9_900)).toBe(true)
  })

  test("one in which nothing has to go any more begins anew, and keeps nothing of before", () => {
    const map = new BoundedMap<number, number>(10)
    const keys = vi.spyOn(map, "keys")
    for (let key = 0; key < 20; key++) map.set(key, key)
    for (let time = 0; time < 11; time++) map.set(19, time)
    map.set(20, 20)
    expect(keys).toHaveBeenCalledTimes(2)
    expect([...map.keys()].toSorted((a, b) => a - b)).toEqual([11, 12, 13, 14, 15, 16, 17, 18, 19, 20])
  })

  const KEY = fc.nat({ max: 12 })
  const act = fc.oneof(
    { weight: 8, arbitrary: fc.record({ verb: fc.constant("set"), key: KEY }) },
    { weight: 3, arbitrary: fc.record({ verb: fc.constant("delete"), key: KEY }) },
    { weight: 1, arbitrary: fc.record({ verb: fc.constant("clear"), key: KEY }) },
  )

  test("holds what a list of its last entries would, whatever is set and deleted", async () => {
    const input = fc.record({ max: fc.integer({ min: 1, max: 8 }), acts: fc.array(act, { maxLength: 200 }) })
    const property = propertyOf(input, ({ max, acts }) => {
      const map = new BoundedMap<number, number>(max)
      let list: [number, number][] = []
      for (const [at, { verb, key }] of acts.entries()) {
        if (verb === "clear") list = []
        else list = list.filter(([other]) => other !== key)
        if (verb === "clear") map.clear()
        else if (verb === "delete") map.delete(key)
        else {
          map.set(key, at)
          list = [...list, [key, at] as [number, number]].slice(-max)
        }
        expect([...map]).toEqual(list)
      }
    })
    await assertProperty(property, 500)
  })
})
