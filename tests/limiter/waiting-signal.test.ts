import { afterEach, beforeEach, describe, expect, test, vi } from "vitest"
import { acquire, RateLimiter, type SettlingChecker } from "../../src/index.js"
import { settled, watch } from "./watch.js"

beforeEach(() => vi.useFakeTimers({ now: 1_700_000_000_000 }))
afterEach(() => vi.useRealTimers())

describe("RateLimiter.acquire() with a signal", () => {
  test("ends by the signal's reason, and those behind move up", async () => {
    const limiter = new RateLimiter("10/second")
    await limiter.acquire("a", { cost: 10 })
    const controller = new AbortController()
    const first = watch(limiter.acquire("a", { cost: 10, signal: controller.signal }))
    const second = watch(limiter.acquire("a"))
    await vi.advanceTimersByTimeAsync(200)
    expect(second.atMs).toBeNull()
    const reason = new Error("gone")
    controller.abort(reason)
    await settled()
    expect(first.error).toBe(reason)
    expect(second.atMs).toBe(200)
    expect(vi.getTimerCount()).toBe(0)
  })

  test("asks once more, not for each, where a crowd of equal calls leaves one after the other", async () => {
    const inner = new RateLimiter("1/second")
    let asked = 0
    const limiter: SettlingChecker = {
      check(key, options) {
        asked += 1
        return inner.check(key, options)
      },
      refund: (receipt) => inner.refund(receipt),
    }
    await acquire(limiter, "a")
    const controllers = Array.from({ length: 100 }, () => new AbortController())
    const waits = controllers.map(({ signal }) => watch(acquire(limiter, "a", { signal })))
    const last = watch(acquire(limiter, "a"))
    asked = 0
    for (const controller of controllers) controller.abort()
    await settled()
    expect(waits.every(({ error }) => (error as Error).name === "AbortError")).toBe(true)
    await vi.advanceTimersByTimeAsync(1_000)
    expect(last).toMatchObject({ atMs: 1_000, error: null })
    expect(asked).toBe(1)
    expect(vi.getTimerCount()).toBe(0)
  })

  test("leaves nothing behind where nobody waits behind the one that ends", async () => {
    const limiter = new RateLimiter("1/hour")
    limiter.check("a")
    const controller = new AbortController()
    const wait = watch(acquire(limiter, "a", { signal: controller.signal }))
    await settled()
    expect(vi.getTimerCount()).toBe(1)
    controller.abort()
    await settled()
    expect(wait.error).toMatchObject({ name: "AbortError" })
    expect(vi.getTimerCount()).toBe(0)
  })

  test("searches no signal that was aborted for its listener, which costs the number of all who wait under it", async () => {
    const limiter = new RateLimiter("1/second")
    const controller = new AbortController()
    const { signal } = controller
    const removed = vi.spyOn(signal, "removeEventListener")
    await limiter.acquire("a", { signal })
    expect(removed).toHaveBeenCalledTimes(1)
    const waits = [1, 2, 3].map(() => watch(limiter.acquire("a", { signal })))
    controller.abort()
    await settled()
    expect(waits.map(({ error }) => (error as Error).name)).toEqual(["AbortError", "AbortError", "AbortError"])
    expect(removed).toHaveBeenCalledTimes(1)
  })

  test("does not start under a signal that was aborted", async () => {
    const limiter = new RateLimiter("1/second")
    await expect(limiter.acquire("a", { signal: AbortSignal.abort() })).rejects.toMatchObject({ name: "AbortError" })
    expect(limiter.peek("a").remaining).toBe(1)
  })
})
