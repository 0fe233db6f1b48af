import { afterEach, beforeEach, describe, expect, test, vi } from "vitest"
import { acquire, Permit, QueueFull, RateLimiter, TimeoutExceeded, WaitingLine } from "../../src/index.js"
import { remote, settled, watch } from "./watch.js"

beforeEach(() => vi.useFakeTimers({ now: 1_700_000_000_000 }))
afterEach(() => vi.useRealTimers())

describe("RateLimiter.acquire() with a timeout", () => {
  test("refuses at once what would take longer than the timeout, and charges nothing", async () => {
    const limiter = new RateLimiter("1/second")
    await limiter.acquire("a")
    const late = watch(limiter.acquire("a", { timeout: 999 }))
    await settled()
    expect(late).toMatchObject({ atMs: 0, error: expect.any(TimeoutExceeded) })
    expect(late.error).toMatchObject({ code: "TIMEOUT_EXCEEDED", key: "a", timeoutMs: 999, retryAfterMs: 1_000 })
    const inTime = watch(limiter.acquire("a", { timeout: "1s" }))
    await vi.advanceTimersByTimeAsync(1_000)
    expect(inTime).toMatchObject({ atMs: 1_000, error: null })
  })

  test("waits where the wait is as long as the timeout, though the machine takes time to find out", async () => {
    const limiter = new RateLimiter("10/second burst 1")
    const now = performance.now.bind(performance)
    let workedMs = 0
    vi.spyOn(performance, "now").mockImplementation(() => {
      workedMs += 0.001
      return now() + workedMs
    })
    await limiter.acquire("a")
    const { retryAfterMs } = (await limiter.acquire("a", { timeout: 99 }).catch((error) => error)) as TimeoutExceeded
    const waits = [retryAfterMs, 200, 299].map((timeout) => watch(limiter.acquire("a", { timeout })))
    await vi.advanceTimersByTimeAsync(1_000)
    expect(waits.map(({ error }) => (error as Error | null)?.name)).toEqual([undefined, undefined, "TimeoutExceeded"])
    expect(waits[2]?.atMs).toBeLessThan(299)
    vi.restoreAllMocks()
  })

  test("admits behind the first whose timeout ends with that one's wait, where there is quota for both", async () => {
    const limiter = new RateLimiter("2/minute fixed_window")
    limiter.block("other", "30s")
    const other = watch(limiter.acquire("other"))
    limiter.check("a", { cost: 2 })
    const { retryAfterMs } = limiter.peek("a")
    const waits = [1, 2, 3].map(() => watch(limiter.acquire("a", { timeout: retryAfterMs })))
    await vi.advanceTimersByTimeAsync(retryAfterMs)
    expect(other.atMs).toBeLessThan(retryAfterMs)
    expect(waits.map(({ atMs }) => atMs)).toEqual([retryAfterMs, retryAfterMs, retryAfterMs])
    expect(waits.map(({ error }) => (error as Error | null)?.name)).toEqual([undefined, undefined, "TimeoutExceeded"])
  })

  test("with timeout 0 does not wait at all", async () => {
    const limiter = new RateLimiter("1/second")
    await expect(limiter.acquire("a", { timeout: 0 })).resolves.toBeInstanceOf(Permit)
    await expect(limiter.acquire("a", { timeout: 0 })).rejects.toThrow(TimeoutExceeded)
  })

  describe("while others fill the line", () => {
    const lateIn = (retryAfterMs: number) => ({ name: "TimeoutExceeded", retryAfterMs })

    test("tells the wait that is known to be longer, of a key of its own and behind others", async () => {
      const limiter = new RateLimiter("1/hour", { maxWaiting: 1 })
      for (const key of ["a", "b"]) limiter.check(key)
      const filling = watch(limiter.acquire("a"))
      for (const key of ["a", "b"]) {
        for (const timeout of [0, "1s", 3_599_999]) {
          await expect(limiter.acquire(key, { timeout })).rejects.toMatchObject(lateIn(3_600_000))
        }
        await expect(limiter.acquire(key, { timeout: "1h" })).rejects.toThrow(QueueFull)
        await expect(limiter.acquire(key)).rejects.toThrow(QueueFull)
      }
      await vi.advanceTimersByTimeAsync(3_600_000)
      expect(filling).toMatchObject({ atMs: 3_600_000, error: null })
    })

    test("tells how long a leaky bucket would hold", async () => {
      const limiter = new RateLimiter("1/second leaky_bucket burst 5", { maxWaiting: 1 })
      for (const key of ["a", "b"]) limiter.check(key)
      watch(limiter.acquire("a"))
      await expect(limiter.acquire("b", { timeout: 0 })).rejects.toMatchObject(lateIn(1_000))
      await expect(limiter.acquire("b", { timeout: 999 })).rejects.toMatchObject(lateIn(1_000))
      await expect(limiter.acquire("b", { timeout: 1_000 })).rejects.toThrow(QueueFull)
      // One is held and leaves after 1 s, and its turn takes another.
      await expect(limiter.acquire("a", { timeout: 1_999 })).rejects.toMatchObject(lateIn(2_000))
      await expect(limiter.acquire("a", { timeout: 2_000 })).rejects.toThrow(QueueFull)
      expect(limiter.peek("b").remaining).toBe(4)
    })

    test("with timeout 0 needs no room behind one who is being asked for", async () => {
      const line = new WaitingLine(remote(new RateLimiter("9/second"), 50), { maxWaiting: 1 })
      const asked = watch(line.acquire("a"))
      await expect(line.acquire("a", { timeout: 0 })).rejects.toMatchObject(lateIn(0))
      await expect(line.acquire("a", { timeout: 1 })).rejects.toThrow(QueueFull)
      await vi.advanceTimersByTimeAsync(50)
      expect(asked).toMatchObject({ atMs: 50, error: null })
    })
  })

  test("tells a loop that tries again how long to wait, so that it tries once for each wait", async () => {
    const limiter = new RateLimiter("1/second")
    let tries = 0
    const loop = async () => {
      for (;;) {
        tries += 1
        try {
          return await limiter.acquire("a", { timeout: 100 })
        } catch (error) {
          if (!(error instanceof TimeoutExceeded)) throw error
          await new Promise((resolve) => setTimeout(resolve, error.retryAfterMs))
        }
      }
    }
    await loop()
    const second = watch(loop())
    await vi.advanceTimersByTimeAsync(1_000)
    expect([second.atMs, tries]).toEqual([1_000, 3])
  })

  test("refuses behind others at once where the first of them must wait longer, else when the time is over", async () => {
    const limiter = new RateLimiter("1/second")
    await limiter.acquire("a")
    const first = watch(limiter.acquire("a"))
    const short = watch(limiter.acquire("a", { timeout: 500 }))
    const middle = watch(limiter.acquire("a", { timeout: 1_500 }))
    await vi.advanceTimersByTimeAsync(3_000)
    expect(short).toMatchObject({ atMs: 0, error: { name: "TimeoutExceeded", retryAfterMs: 1_000 } })
    expect(first.atMs).toBe(1_000)
    // When the first was admitted, the wait of the second was known: 1 s more.
    expect(middle).toMatchObject({ atMs: 1_000, error: expect.any(TimeoutExceeded) })
    expect(limiter.peek("a").remaining).toBe(1)
  })

  test("refuses those behind as soon as the wait of the first is known to be too long for them", async () => {
    const limiter = new RateLimiter("1/second")
    await limiter.acquire("a")
    const waits = [undefined, undefined, 1_500].map((timeout) =>
      watch(limiter.acquire("a", timeout === undefined ? {} : { timeout })),
    )
    await vi.advanceTimersByTimeAsync(3_000)
    expect(waits.map(({ atMs }) => atMs)).toEqual([1_000, 2_000, 1_000])
    expect(waits[2]?.error).toMatchObject({ name: "TimeoutExceeded", timeoutMs: 1_500, retryAfterMs: 1_000 })
  })

  test("refuses those behind when their time is over, while the first is being asked for", async () => {
    const limiter = remote(new RateLimiter("9/second"), 50)
    const waits = [watch(acquire(limiter, "a")), watch(acquire(limiter, "a", { timeout: 30 }))]
    await vi.advanceTimersByTimeAsync(200)
    expect(waits.map(({ atMs }) => atMs)).toEqual([50, 30])
    expect(waits[1]?.error).toMatchObject({ name: "TimeoutExceeded", retryAfterMs: 0 })
  })

  test("waits longer than a timer can, and does not fire at once", async () => {
    const limiter = new RateLimiter("1/4w")
    await limiter.acquire("a")
    const wait = watch(limiter.acquire("a", { timeout: "9w" }))
    const fourWeeksMs = 4 * 7 * 24 * 3_600_000
    expect(fourWeeksMs).toBeGreaterThan(2 ** 31)
    await vi.advanceTimersByTimeAsync(fourWeeksMs - 1)
    expect(wait.atMs).toBeNull()
    await vi.advanceTimersByTimeAsync(1)
    expect(wait.atMs).toBe(fourWeeksMs)
  })
})
