import { afterEach, beforeEach, describe, expect, test, vi } from "vitest"
import { acquire, QueueFull, RateLimiter, type SettlingChecker } from "../../src/index.js"
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

  describe("at the head of the line", () => {
    const headOf = (limiter: RateLimiter) => {
      const controller = new AbortController()
      const head = watch(limiter.acquire("a", { cost: 10, signal: controller.signal }))
      return { head, leave: () => controller.abort() }
    }

    test("lets one with a timeout that costs less wait behind it, and get in where it leaves in time", async () => {
      const limiter = new RateLimiter("10/10s")
      limiter.check("a", { cost: 5 })
      const { leave } = headOf(limiter)
      const behind = watch(limiter.acquire("a", { timeout: "2s" }))
      await vi.advanceTimersByTimeAsync(100)
      expect(behind.atMs).toBeNull()
      leave()
      await settled()
      expect(behind).toMatchObject({ atMs: 100, error: null })
      expect(limiter.peek("a").remaining).toBe(4)
    })

    test("ends the wait of one that costs less with its timeout, where it stays", async () => {
      const limiter = new RateLimiter("10/10s")
      limiter.check("a", { cost: 5 })
      const { head } = headOf(limiter)
      const behind = watch(limiter.acquire("a", { timeout: "2s" }))
      await vi.advanceTimersByTimeAsync(5_000)
      expect(behind).toMatchObject({ atMs: 2_000, error: { name: "TimeoutExceeded", retryAfterMs: 3_000 } })
      expect(head).toMatchObject({ atMs: 5_000, error: null })
    })

    test("leaves one there that costs less, when it becomes the first and is told its wait", async () => {
      const limiter = new RateLimiter("10/10s")
      limiter.check("a", { cost: 10 })
      const first = watch(limiter.acquire("a"))
      const { leave } = headOf(limiter)
      const behind = watch(limiter.acquire("a", { timeout: "3s" }))
      const asMuch = watch(limiter.acquire("a", { cost: 10, timeout: "3s" }))
      await vi.advanceTimersByTimeAsync(1_000)
      expect(first).toMatchObject({ atMs: 1_000, error: null })
      // Behind it, too: the wait for as much is known, whoever leaves.
      expect(asMuch).toMatchObject({ atMs: 1_000, error: { name: "TimeoutExceeded", retryAfterMs: 10_000 } })
      await vi.advanceTimersByTimeAsync(1_000)
      expect(behind.atMs).toBeNull()
      leave()
      await settled()
      expect(behind).toMatchObject({ atMs: 2_000, error: null })
    })

    test("refuses at once who costs as much, or does not wait at all", async () => {
      const limiter = new RateLimiter("10/10s")
      limiter.check("a", { cost: 5 })
      headOf(limiter)
      const late = { name: "TimeoutExceeded", retryAfterMs: 5_000 }
      await expect(limiter.acquire("a", { cost: 10, timeout: "2s" })).rejects.toMatchObject(late)
      await expect(limiter.acquire("a", { timeout: 0 })).rejects.toMatchObject(late)
      expect(vi.getTimerCount()).toBe(1)
    })

    test("lets no more than maxWaiting wait behind it, and tells the others that the line is full", async () => {
      const limiter = new RateLimiter("10/10s", { maxWaiting: 1 })
      limiter.check("a", { cost: 5 })
      headOf(limiter)
      await expect(limiter.acquire("a", { timeout: "2s" })).rejects.toThrow(QueueFull)
      for (const late of [{ timeout: 0 }, { cost: 10, timeout: "2s" }]) {
        await expect(limiter.acquire("a", late)).rejects.toMatchObject({ name: "TimeoutExceeded", retryAfterMs: 5_000 })
      }
    })
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
