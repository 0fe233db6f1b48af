import { describe, expect, test } from "vitest"
import { ManualClock, RateLimiter } from "../../src/index.js"
import { AdmittedIds } from "../../src/limiter/admitted-ids.js"

describe("AdmittedIds", () => {
  test("find() tells what was added under the same id and subject, for 5 minutes", () => {
    const ids = new AdmittedIds<number>()
    ids.add("x", "a", 1_000, 1)
    expect(ids.find("x", "a", 301_000)).toBe(1)
    expect(ids.find("x", "a", 301_001)).toBeUndefined()
    expect(ids.find("x", "b", 1_000)).toBeUndefined()
    expect(ids.find("y", "a", 1_000)).toBeUndefined()
  })

  test("add() drops what is too old, and at the bound the oldest", () => {
    const ids = new AdmittedIds<number>(3)
    for (const [index, id] of ["a", "b", "c", "d"].entries()) ids.add(id, "key", index, index)
    expect(ids.size).toBe(3)
    expect(["a", "b", "c", "d"].map((id) => ids.find(id, "key", 4))).toEqual([undefined, 1, 2, 3])
    ids.add("e", "key", 400_000, 4)
    expect(ids.size).toBe(1)
  })

  test("find() and add() keep subjects apart whatever they hold", () => {
    const ids = new AdmittedIds<number>()
    ids.add("x", "\0y", 0, 1)
    expect(ids.find("x", "y", 0)).toBeUndefined()
    expect(ids.find("x", "\0y", 0)).toBe(1)
  })
})

describe("RateLimiter with an id", () => {
  test("check() and allow() charge a repeated call once, with the same receipt", () => {
    const limiter = new RateLimiter("9/hour", { clock: new ManualClock(0), stats: true })
    const first = limiter.check("a", { cost: 4, id: "x" })
    expect(limiter.check("a", { cost: 4, id: "x" })).toBe(first)
    expect(limiter.allow("a", { cost: 4, id: "x" })).toBe(true)
    expect(limiter.peek("a", { cost: 4, id: "x" }).receipt).toEqual(first.receipt)
    expect(limiter.check("a", { cost: 4, id: "y" }).remaining).toBe(1)
    expect(limiter.stats("a").totalAllowed).toBe(2)
  })

  test("check() remembers no denial, and no more than 5 minutes", () => {
    const clock = new ManualClock(0)
    const limiter = new RateLimiter("1/minute", { clock })
    limiter.check("a", { id: "x" })
    clock.advance(300_000)
    const again = limiter.check("a", { id: "x" })
    clock.advance(1)
    const later = limiter.check("a", { id: "x" })
    expect(again.receipt?.chargedAtMs).toBe(0)
    expect(later.receipt?.chargedAtMs).toBe(300_001)
    expect(limiter.check("a", { id: "z" }).allowed).toBe(false)
    clock.advance(60_000)
    expect(limiter.check("a", { id: "z" }).allowed).toBe(true)
  })

  test.each(["", "x".repeat(65), "é", "a\nb", 7 as never])("check() refuses the id %j and changes nothing", (id) => {
    const limiter = new RateLimiter("2/hour")
    expect(() => limiter.check("a", { id })).toThrow(RangeError)
    expect(() => limiter.allow("a", { id })).toThrow(RangeError)
    expect(limiter.peek("a").remaining).toBe(2)
  })
})
