import { describe, expect, test } from "vitest"
import { MAX_SETTLED } from "../../src/engine/settled-receipts.js"
import { ManualClock, RateLimiter } from "../../src/index.js"
import { MemoryLimits } from "../../src/limiter/memory-limits.js"

describe("RateLimiter with an id", () => {
  test("check() and allow() charge a repeated call once, with the same receipt", () => {
    const limiter = new RateLimiter("9/hour", { clock: new ManualClock(0), stats: true })
    const first = limiter.check("a", { cost: 4, id: "x" })
    expect(limiter.check("a", { cost: 4, id: "x" }).receipt).toEqual(first.receipt)
    expect(limiter.allow("a", { cost: 4, id: "x" })).toBe(true)
    expect(limiter.peek("a", { cost: 4, id: "x" }).receipt).toEqual(first.receipt)
    expect(limiter.check("a", { cost: 4, id: "y" }).remaining).toBe(1)
    expect(limiter.stats("a").totalAllowed).toBe(2)
  })

  test("check() tells of a repeated call that no rule makes it wait, though one is in debt by now", () => {
    const limiter = new RateLimiter("9/hour; 20/day", { clock: new ManualClock(0) })
    limiter.check("a", { cost: 4, id: "x" })
    limiter.charge("a", 10)
    const again = limiter.check("a", { cost: 4, id: "x" })
    expect(again).toMatchObject({ allowed: true, retryAfterMs: 0 })
    expect(again.rules?.map(({ retryAfterMs, remaining }) => [retryAfterMs, remaining])).toEqual([
      [0, 0],
      [0, 6],
    ])
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

describe("RateLimiter.restore() with ids of before", () => {
  test("check() of an id that the dump does not hold is charged anew", () => {
    const limiter = new RateLimiter("9/hour", { clock: new ManualClock(0) })
    const empty = limiter.dump()
    const first = limiter.check("a", { cost: 4, id: "x" })
    limiter.restore(empty)
    expect(limiter.peek("a", { cost: 4, id: "x" }).receipt).toBeUndefined()
    expect(limiter.check("a", { cost: 4, id: "x" })).toMatchObject({ receipt: first.receipt, remaining: 5 })
    expect(limiter.check("a").remaining).toBe(4)
  })
})

describe("MemoryLimits with an id", () => {
  test("check() remembers 65,536 calls of all its limits", () => {
    const limits = new MemoryLimits({ clock: new ManualClock(0), limits: { one: "1000000/hour", two: "1000000/hour" } })
    for (let call = 0; call < 65_537; call++)
      limits.check("a", { limit: call % 2 === 0 ? "one" : "two", id: `${call}` })
    expect(limits.peek("a", { limit: "two", id: "1" }).receipt).toBeDefined()
    expect(limits.peek("a", { limit: "one", id: "0" }).receipt).toBeUndefined()
  })

  test("check() of a limit that was removed and defined anew is charged anew", () => {
    const limits = new MemoryLimits({ clock: new ManualClock(0), limits: { api: "9/hour" } })
    const first = limits.check("a", { limit: "api", id: "x" })
    limits.remove("api")
    limits.define("api", "9/hour")
    expect(limits.check("a", { limit: "api", id: "x" }).receipt?.id).not.toBe(first.receipt?.id)
  })
})

test.each([
  ["RateLimiter", (clock: ManualClock) => new RateLimiter("9/minute", { clock })],
  ["MemoryLimits", (clock: ManualClock) => new MemoryLimits({ clock, limits: { default: "9/minute" } })],
])("%s.check() does not tell a refunded call again after so many other refunds", (_name, make) => {
  const clock = new ManualClock(0)
  const limiter = make(clock)
  const first = limiter.check("a", { id: "x" })
  limiter.refund(first.receipt!)
  clock.advance(1)
  for (let call = 0; call < MAX_SETTLED; call++) limiter.refund(limiter.check("b").receipt!)
  expect(limiter.check("a", { id: "x" }).receipt?.id).not.toBe(first.receipt!.id)
})
