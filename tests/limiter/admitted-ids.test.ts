import { describe, expect, test } from "vitest"
import { ManualClock, RateLimiter } from "../../src/index.js"
import { AdmittedIds } from "../../src/limiter/admitted-ids.js"
import type { Receipt } from "../../src/types/receipt.js"

const ONE = { cost: 1 }

describe("AdmittedIds", () => {
  test("find() tells what was added under the same id and subject, for 5 minutes", () => {
    const ids = new AdmittedIds()
    ids.add("x", "a", 1_000, ONE)
    expect(ids.find("x", "a", 1, 301_000)).toBe(ONE)
    expect(ids.find("x", "a", 1, 301_001)).toBeUndefined()
    expect(ids.find("x", "b", 1, 1_000)).toBeUndefined()
    expect(ids.find("y", "a", 1, 1_000)).toBeUndefined()
  })

  test("find() refuses another cost and names both, while it is remembered", () => {
    const ids = new AdmittedIds()
    ids.add("x", "a", 0, { cost: 4 })
    expect(() => ids.find("x", "a", 5, 1)).toThrow(
      new RangeError('Cannot check under id "x" with cost 5: it was admitted with cost 4, allowed is the same.'),
    )
    expect(ids.find("x", "a", 5, 300_001)).toBeUndefined()
  })

  test("forget() drops the admission of a receipt, and not a later one under the same id", () => {
    const ids = new AdmittedIds()
    const [first, second] = ["r1", "r2"].map((id) => ({
      cost: 1,
      receipt: { id, key: "a", cost: 1, chargedAtMs: 0 } as Receipt,
    }))
    ids.add("x", "a", 0, first!)
    ids.forget(first!.receipt)
    expect(ids.size).toBe(0)
    ids.add("x", "a", 0, first!)
    ids.add("x", "a", 1, second!)
    ids.forget(first!.receipt)
    expect(ids.find("x", "a", 1, 1)).toBe(second)
  })

  test("add() drops what is too old, and at the bound the oldest", () => {
    const ids = new AdmittedIds(3)
    for (const [index, id] of ["a", "b", "c", "d"].entries()) ids.add(id, "key", index, { cost: index })
    expect(ids.size).toBe(3)
    expect(["a", "b", "c", "d"].map((id, cost) => ids.find(id, "key", cost, 4)?.cost)).toEqual([undefined, 1, 2, 3])
    ids.add("e", "key", 400_000, ONE)
    expect(ids.size).toBe(1)
  })

  test("find() and add() keep subjects apart whatever they hold", () => {
    const ids = new AdmittedIds()
    ids.add("x", "\0y", 0, ONE)
    expect(ids.find("x", "y", 1, 0)).toBeUndefined()
    expect(ids.find("x", "\0y", 1, 0)).toBe(ONE)
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
