import { describe, expect, test } from "vitest"
import { SettledReceipts } from "../../src/engine/settled-receipts.js"
import { ManualClock, RateLimiter } from "../../src/index.js"
import { AdmittedIds } from "../../src/limiter/admitted-ids.js"

const NONE = new SettledReceipts()

function admitted(chargedAtMs: number, cost = 1, id = "r") {
  return { cost, receipt: { id, key: "a", policy: "default", cost, chargedAtMs } }
}

describe("AdmittedIds", () => {
  test("find() tells what was added under the same id and subject, for 5 minutes", () => {
    const ids = new AdmittedIds()
    const one = admitted(1_000)
    ids.add("x", "a", 1, 1_000, one)
    expect(ids.find("x", "a", 1, 301_000, NONE)).toBe(one)
    expect(ids.find("x", "a", 1, 301_001, NONE)).toBeUndefined()
    expect(ids.find("x", "b", 1, 1_000, NONE)).toBeUndefined()
    expect(ids.find("y", "a", 1, 1_000, NONE)).toBeUndefined()
    expect(ids.find(undefined, "a", 1, 1_000, NONE)).toBeUndefined()
  })

  test("find() refuses another cost and names both, while it is remembered", () => {
    const ids = new AdmittedIds()
    ids.add("x", "a", 4, 0, admitted(0, 4))
    expect(() => ids.find("x", "a", 5, 1, NONE)).toThrow(
      new RangeError('Cannot check under id "x": cost is 5, allowed is 4.'),
    )
    expect(ids.find("x", "a", 5, 300_001, NONE)).toBeUndefined()
  })

  test("find() tells nothing that was settled, and a later admission under the same id", () => {
    const ids = new AdmittedIds()
    const settled = new SettledReceipts()
    const [first, second] = [admitted(0, 1, "r1"), admitted(1, 1, "r2")]
    ids.add("x", "a", 1, 0, first)
    settled.add(first.receipt, 0, 3_600_000)
    expect(ids.find("x", "a", 2, 0, settled)).toBeUndefined()
    ids.add("x", "a", 1, 1, second)
    expect(ids.find("x", "a", 1, 1, settled)).toBe(second)
  })

  test("add() drops what is too old, and at the bound the oldest", () => {
    const ids = new AdmittedIds(3)
    const known = (names: string[], nowMs: number) =>
      names.map((id) => ids.find(id, "key", 1, nowMs, NONE) !== undefined)
    for (const [index, id] of ["a", "b", "c", "d"].entries()) ids.add(id, "key", 1, index, admitted(index))
    expect(known(["a", "b", "c", "d"], 4)).toEqual([false, true, true, true])
    ids.add("b", "key", 1, 5, admitted(5))
    ids.add("e", "key", 1, 5, admitted(5))
    expect(known(["b", "c", "d", "e"], 5)).toEqual([true, false, true, true])
    for (const id of ["f", "g", "h"]) ids.add(id, "key", 1, 400_000, admitted(400_000))
    // What was dropped for its age is not there for a clock that goes back.
    expect(known(["b", "d", "e", "f", "g", "h"], 10)).toEqual([false, false, false, true, true, true])
  })

  test("find() and add() keep subjects apart whatever they hold", () => {
    const ids = new AdmittedIds()
    const one = admitted(0)
    ids.add("x", "\0y", 1, 0, one)
    expect(ids.find("x", "y", 1, 0, NONE)).toBeUndefined()
    expect(ids.find("x", "\0y", 1, 0, NONE)).toBe(one)
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
