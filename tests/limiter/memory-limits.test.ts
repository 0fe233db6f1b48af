import { describe, expect, test, vi } from "vitest"
import { LimitNotFound, ManualClock } from "../../src/index.js"
import { MemoryLimits, type MemoryLimitsOptions } from "../../src/limiter/index.js"

const clock = new ManualClock(1_000)

describe("MemoryLimits", () => {
  test("names: at the bound the key used least recently is forgotten by name, its counts are not", () => {
    const limits = new MemoryLimits({ limits: { default: "5/hour" }, clock, names: 2, stats: true, history: 3 })
    limits.check("a")
    limits.check("b")
    limits.check("a")
    limits.check("c")
    expect(limits.list()).toEqual(["a", "c"])
    expect(limits.top({ by: "allowed" }).map(({ key, stats }) => [key, stats.totalAllowed])).toEqual([
      ["a", 2],
      ["c", 1],
    ])
    expect(limits.peek("b").remaining).toBe(4)
    expect(limits.stats("b").totalAllowed).toBe(1)
    expect(limits.history("b").map(({ event }) => event)).toEqual(["define"])
  })

  test("checkAll() refuses the first item that cannot be, whatever is wrong with a later one", () => {
    const limits = new MemoryLimits({ limits: { a: "5/hour" }, clock })
    const noCost = { key: "x", limit: "a", cost: -1 }
    const noLimit = { key: "x", limit: "nope" }
    expect(() => limits.checkAll([noCost, noLimit])).toThrow(RangeError)
    expect(() => limits.checkAll([noLimit, noCost])).toThrow(LimitNotFound)
  })

  test("top() tells those with as many checks in the order of their names", () => {
    const limits = new MemoryLimits({ limits: { default: "5/hour" }, clock, names: 9, stats: true })
    for (const key of ["c", "a", "d", "b", "d"]) limits.check(key)
    expect(limits.top({ by: "allowed" }).map(({ key }) => key)).toEqual(["d", "a", "b", "c"])
  })

  test("history: at the bound the oldest events are forgotten, the limit's definitions apart", () => {
    const limits = new MemoryLimits({ limits: { default: "9/hour" }, clock, names: 9, history: 2 })
    for (const cost of [1, 2, 3]) limits.check("a", { cost })
    expect(limits.history("a").map(({ event, units }) => [event, units])).toEqual([
      ["admit", 3],
      ["admit", 2],
    ])
    limits.define("default", "8/hour")
    limits.define("default", "8/hour")
    expect(limits.history("a").map(({ event, key }) => [event, key])).toEqual([
      ["define", "a"],
      ["admit", "a"],
    ])
  })

  test("history() without a count tells the last 100 events", () => {
    const limits = new MemoryLimits({ limits: { default: "9/hour" }, clock, names: 9, history: 200 })
    for (let units = 1; units <= 101; units++) limits.charge("a", units)
    const units = limits.history("a").map((entry) => entry.units)
    expect(units).toEqual(Array.from({ length: 100 }, (_, index) => 101 - index))
    expect(limits.history("a", { count: 1_000 })).toHaveLength(102)
  })

  test("history: begins anew with a limit that takes the name of one that was removed", () => {
    const limits = new MemoryLimits({ limits: { default: "9/hour" }, clock, names: 9, history: 9 })
    limits.remove("default")
    limits.define("default", "8/hour")
    limits.check("a")
    expect(limits.history("a").map(({ event }) => event)).toEqual(["admit", "define"])
  })

  test("keeps neither statistics nor names nor histories where not asked, and says so", () => {
    const limits = new MemoryLimits({ limits: { default: "9/hour" }, clock })
    limits.check("a")
    expect(() => limits.stats("a")).toThrow("make them with { stats: true }")
    expect(() => limits.list()).toThrow("make them with { names: 10_000 }")
    expect(() => limits.top({ by: "denied" })).toThrow(TypeError)
    expect(() => limits.history("a")).toThrow("history: 100")
    expect(limits.explain("a").recent).toEqual([])
    expect(() => new MemoryLimits({ clock, names: 9 }).top({ by: "denied" })).toThrow("stats: true")
  })

  test.each<[string, unknown]>([
    ["maxKeys", { maxKeys: 0 }],
    ["names", { names: -1 }],
    ["names", { names: 2 ** 24 + 1 }],
    ["history", { history: 1 }],
    ["history", { names: 1, history: 65_537 }],
    ["onFull", { onFull: "drop" }],
    ["stats", { stats: 1 }],
    ["clock", { clock: {} }],
    ["limits", { limits: "9/hour" }],
    ["limits", { limits: ["9/hour"] }],
    ['did you mean "limits"?', { limit: { default: "9/hour" } }],
    ["options is null", null],
  ])("refuses a %s that cannot be: %j", (field, options) => {
    expect(() => new MemoryLimits(options as MemoryLimitsOptions)).toThrow(RangeError)
    expect(() => new MemoryLimits(options as MemoryLimitsOptions)).toThrow(field)
  })

  test("refuses a policy or a name that cannot be, and answers that cannot be told", () => {
    expect(() => new MemoryLimits({ limits: { api: "0/m" } })).toThrow("limit is 0")
    expect(() => new MemoryLimits({ limits: { "": "1/m" } })).toThrow("a key is not empty")
    const limits = new MemoryLimits({ limits: { default: "9/hour" }, clock, names: 9, stats: true, history: 9 })
    expect(() => limits.top({ by: "all" as never })).toThrow('by is "all"')
    for (const count of [-1, 0.5]) {
      expect(() => limits.list({ count })).toThrow(RangeError)
      expect(() => limits.top({ by: "allowed", count })).toThrow(RangeError)
      expect(() => limits.history("a", { count })).toThrow(RangeError)
    }
  })

  test("takes its limits from a map too, under any names", () => {
    const limits = new MemoryLimits({ limits: new Map([["__proto__", "1/m"]]), clock })
    expect(limits.limits().map(({ name }) => name)).toEqual(["__proto__"])
    expect(limits.allow("__proto__")).toBe(true)
    expect(limits.allow("__proto__")).toBe(false)
  })

  test("bounds the keys of each limit by maxKeys", () => {
    const limits = new MemoryLimits({ limits: { a: "1/m", b: "1/m" }, clock, maxKeys: 1, onFull: "deny-new" })
    expect(limits.allow("x", { limit: "a" })).toBe(true)
    expect(limits.allow("y", { limit: "a" })).toBe(false)
    expect(limits.allow("y", { limit: "b" })).toBe(true)
  })

  test.each<[string, (fail: () => never) => MemoryLimits]>([
    [
      "the clock",
      (fail) => {
        let readings = 0
        const now = () => (readings++ === 0 ? fail() : 1_000)
        return new MemoryLimits({ limits: { default: "1/m" }, clock: { now }, names: 9, history: 9 })
      },
    ],
    [
      "randomness",
      (fail) => {
        vi.spyOn(crypto, "getRandomValues").mockImplementationOnce(fail)
        return new MemoryLimits({ limits: { default: "1/m" }, clock, names: 9, history: 9 })
      },
    ],
  ])("where %s fails at the first question, the next one begins anew", (_, make) => {
    const limits = make(() => {
      throw new Error("not yet")
    })
    expect(() => limits.check("a")).toThrow("not yet")
    expect(limits.check("a")).toMatchObject({ allowed: true, remaining: 0 })
    expect(limits.history("a").map(({ event }) => event)).toEqual(["admit", "define"])
  })

  test("allowAll() decides together", () => {
    const limits = new MemoryLimits({ limits: { default: "1/m" }, clock })
    expect(limits.allowAll([{ key: "a" }, { key: "b" }])).toBe(true)
    expect(limits.allowAll([{ key: "b" }, { key: "c" }])).toBe(false)
    expect(limits.allow("c")).toBe(true)
  })
})
