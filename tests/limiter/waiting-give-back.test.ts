import { afterEach, beforeEach, describe, expect, test, vi } from "vitest"
import { acquire, Permit, RateLimiter, TimeoutExceeded } from "../../src/index.js"
import { remote, settled, watch } from "./watch.js"

beforeEach(() => vi.useFakeTimers({ now: 1_700_000_000_000 }))
afterEach(() => vi.useRealTimers())

describe("RateLimiter.acquire() where quota comes back before its time", () => {
  /** What gives quota of a key back whose whole quota is charged, or lets it pass at once. */
  const GIVES_BACK: Record<string, (limiter: RateLimiter, charged: Permit) => void> = {
    "permit.refund()": (_, charged) => charged.refund(),
    "permit.settle()": (_, charged) => charged.settle(1),
    "refund()": (limiter, { decision }) => limiter.refund(decision.receipt!),
    "settle()": (limiter, { decision }) => limiter.settle(decision.receipt!, 0),
    "reset()": (limiter) => limiter.reset("a"),
    "setPolicy()": (limiter) => limiter.setPolicy("2000/second"),
    "restore()": (limiter) => limiter.restore(new RateLimiter("2/hour").dump()),
  }

  test.each(Object.keys(GIVES_BACK))(
    "the first asks at once after %s, and those behind follow in order",
    async (how) => {
      const limiter = new RateLimiter("2/hour")
      const charged = await limiter.acquire("a", { cost: 2 })
      const first = watch(limiter.acquire("a"))
      const second = watch(limiter.acquire("a"))
      const byFunction = watch(acquire(limiter, "a", { cost: 2 }))
      await vi.advanceTimersByTimeAsync(500)
      GIVES_BACK[how]!(limiter, charged)
      // Who comes now knows of no wait that is too long.
      const third = watch(limiter.acquire("a", { timeout: "1s" }))
      await settled()
      expect([first.atMs, first.error]).toEqual([500, null])
      expect(second.atMs).toBe(how === "permit.settle()" ? null : 500)
      if (how === "setPolicy()") {
        await vi.advanceTimersByTimeAsync(10)
        expect(third.value).toBeInstanceOf(Permit)
      } else {
        expect(third.error).toBeInstanceOf(TimeoutExceeded)
        expect(byFunction.atMs).toBeNull()
      }
    },
  )

  test("the first asks at once after unblock(), and after a shorter block()", async () => {
    const limiter = new RateLimiter("1/second")
    limiter.block("a", "1h")
    limiter.block("b", "1h")
    const waits = ["a", "b"].map((key) => watch(limiter.acquire(key)))
    limiter.unblock("a")
    limiter.block("b", "1s")
    await vi.advanceTimersByTimeAsync(1_000)
    expect(waits.map(({ atMs }) => atMs)).toEqual([0, 1_000])
  })

  test("waits on where too little came back, and still refuses at once what cannot be in time", async () => {
    const limiter = new RateLimiter("3600/hour")
    const charged = await limiter.acquire("a", { cost: 3600 })
    const wait = watch(limiter.acquire("a", { cost: 10 }))
    charged.refund(4)
    await settled()
    const late = watch(limiter.acquire("a", { timeout: "1s" }))
    await settled()
    expect([late.atMs, late.error]).toEqual([0, expect.any(TimeoutExceeded)])
    await vi.advanceTimersByTimeAsync(10_000)
    expect(wait.atMs).toBe(6_000)
    expect(vi.getTimerCount()).toBe(0)
  })

  test("nobody asks for another key", async () => {
    const inner = new RateLimiter("1/hour")
    const limiter = remote(inner)
    const first = ["a", "b"].map((key) => acquire(limiter, key))
    await vi.advanceTimersByTimeAsync(10)
    const waits = ["a", "b"].map((key) => watch(acquire(limiter, key)))
    await vi.advanceTimersByTimeAsync(10)
    expect(limiter.calls).toBe(4)
    await Promise.all([(await first[0]!).refund(), vi.advanceTimersByTimeAsync(10)])
    await vi.advanceTimersByTimeAsync(90)
    // Two calls of 10 ms each, and 1 ms for a timer that is set while another one rings.
    expect(waits.map(({ atMs }) => atMs)).toEqual([31, null])
    expect(limiter.calls).toBe(5)
  })
})
