import { afterEach, beforeEach, describe, expect, test, vi } from "vitest"
import {
  acquire,
  ManualClock,
  Permit,
  QueueFull,
  RateLimiter,
  WaitingLine,
  type WaitingLineOptions,
} from "../../src/index.js"
import { settled, watch } from "./watch.js"

beforeEach(() => vi.useFakeTimers({ now: 1_700_000_000_000 }))
afterEach(() => vi.useRealTimers())

describe("RateLimiter.acquire()", () => {
  test("gives a permit at once where there is quota", async () => {
    const limiter = new RateLimiter("2/second")
    const permit = await limiter.acquire("a", { cost: 2 })
    expect(permit).toBeInstanceOf(Permit)
    expect(permit.decision).toMatchObject({ allowed: true, key: "a", cost: 2, remaining: 0 })
    expect(vi.getTimerCount()).toBe(0)
  })

  test("waits exactly as long as it must, first come first served", async () => {
    const limiter = new RateLimiter("10/second burst 1")
    const order: string[] = []
    const waits = ["a", "b", "c", "d"].map((name) => {
      const wait = limiter.acquire("key")
      wait.then(() => order.push(name))
      return watch(wait)
    })
    await vi.advanceTimersByTimeAsync(299)
    expect(order).toEqual(["a", "b", "c"])
    await vi.advanceTimersByTimeAsync(1)
    expect(order).toEqual(["a", "b", "c", "d"])
    expect(waits.map(({ atMs }) => atMs)).toEqual([0, 100, 200, 300])
  })

  test("lets no small cost overtake a large one of the same key", async () => {
    const limiter = new RateLimiter("10/second")
    await limiter.acquire("key", { cost: 10 })
    const large = watch(limiter.acquire("key", { cost: 5 }))
    const small = watch(limiter.acquire("key", { cost: 1 }))
    const other = watch(limiter.acquire("other"))
    await vi.advanceTimersByTimeAsync(1_000)
    expect([large.atMs, small.atMs, other.atMs]).toEqual([500, 600, 0])
  })

  test("keeps one timer however many wait, and none when nobody does", async () => {
    const limiter = new RateLimiter("1/second")
    const waits: Promise<Permit>[] = []
    for (let index = 0; index < 50; index++) {
      waits.push(limiter.acquire(`key:${index % 5}`, { timeout: 60_000 }))
    }
    await settled()
    expect(vi.getTimerCount()).toBe(1)
    await vi.advanceTimersByTimeAsync(9_000)
    await Promise.all(waits)
    expect(vi.getTimerCount()).toBe(0)
  })

  test.each(["the method", "the function"])(
    "is no denial by %s: nothing is counted, and no block of the policy starts",
    async (how) => {
      const limiter = new RateLimiter({ limit: 1, period: "1s", block: "1h" }, { stats: true })
      await limiter.acquire("a")
      const wait = watch(how === "the method" ? limiter.acquire("a") : acquire(limiter, "a"))
      await vi.advanceTimersByTimeAsync(1_000)
      expect(wait.atMs).toBe(1_000)
      expect(limiter.stats("a")).toMatchObject({ totalAllowed: 2, totalDenied: 0 })
    },
  )

  test("stands in one line with the function acquire, which its maxWaiting bounds too", async () => {
    const limiter = new RateLimiter("2/second", { maxWaiting: 4 })
    limiter.check("a", { cost: 2 })
    const order: string[] = []
    const waits = [
      limiter.acquire("a", { cost: 2 }).then(() => order.push("method 1")),
      acquire(limiter, "a", { cost: 2 }).then(() => order.push("function 1")),
      limiter.acquire("a", { cost: 2 }).then(() => order.push("method 2")),
      acquire(limiter, "a", { cost: 2 }).then(() => order.push("function 2")),
    ]
    await expect(acquire(limiter, "a")).rejects.toBeInstanceOf(QueueFull)
    await vi.advanceTimersByTimeAsync(4_000)
    await Promise.all(waits)
    expect(order).toEqual(["method 1", "function 1", "method 2", "function 2"])
  })

  test("waits as long as it was told where a clock that had jumped was set back", async () => {
    let aheadMs = 86_400_000
    const limiter = new RateLimiter("10/second", { clock: { now: () => Date.now() + aheadMs } })
    limiter.check("a", { cost: 10 })
    aheadMs = 0
    const wait = watch(limiter.acquire("a", { timeout: "4s" }))
    await vi.advanceTimersByTimeAsync(4_000)
    expect(wait).toMatchObject({ atMs: 100, error: null })
  })

  test("takes no more than maxWaiting into the line", async () => {
    const limiter = new RateLimiter("1/second", { maxWaiting: 2 })
    await limiter.acquire("a")
    const waits = [limiter.acquire("a"), limiter.acquire("a")].map(watch)
    await expect(limiter.acquire("a")).rejects.toMatchObject({ name: "QueueFull", code: "QUEUE_FULL", maxWaiting: 2 })
    await expect(limiter.acquire("b")).resolves.toBeInstanceOf(Permit)
    await expect(limiter.acquire("b")).rejects.toThrow(QueueFull)
    await vi.advanceTimersByTimeAsync(2_000)
    expect(waits.map(({ atMs }) => atMs)).toEqual([1_000, 2_000])
    await expect(new RateLimiter("1/second", { maxWaiting: 0 }).acquire("a")).resolves.toBeInstanceOf(Permit)
    expect(() => new RateLimiter("1/second", { maxWaiting: -1 })).toThrow("maxWaiting is -1")
    expect(() => new WaitingLine(new RateLimiter("1/second"), { maxWaiting: 0.5 })).toThrow("maxWaiting is 0.5")
    const misspelt = { maxWait: 5 } as WaitingLineOptions
    expect(() => new WaitingLine(new RateLimiter("1/second"), misspelt)).toThrow('option is "maxWait"')
  })

  test("asks again after the wait it was told, though the wall clock was put back meanwhile", async () => {
    const limiter = new RateLimiter("1/second")
    await limiter.acquire("a")
    const wait = watch(limiter.acquire("a", { timeout: "1m" }))
    vi.setSystemTime(Date.now() - 3_600_000)
    await vi.advanceTimersByTimeAsync(1_000)
    // The key's time stands still where the clock runs behind it: so the limiter says to wait on, and is asked again.
    expect(wait.atMs).toBeNull()
    vi.setSystemTime(1_700_000_000_000 + 1_000)
    await vi.advanceTimersByTimeAsync(1_000)
    expect(wait.value).toBeInstanceOf(Permit)
  })

  test("refuses at once what can never be admitted, however many wait", async () => {
    const limiter = new RateLimiter("1/second")
    await limiter.acquire("a")
    const wait = watch(limiter.acquire("a"))
    await expect(limiter.acquire("a", { cost: 2 })).rejects.toMatchObject({ name: "CostError", maximum: 1 })
    await expect(limiter.acquire("a", { cost: 0.5 })).rejects.toThrow(RangeError)
    for (const key of ["", 5, 10n]) {
      await expect(limiter.acquire(key as string, {})).rejects.toMatchObject({ code: "KEY_INVALID" })
    }
    await expect(limiter.acquire("a", { timeout: "soon" })).rejects.toMatchObject({
      name: "RangeError",
      message: expect.stringContaining('Cannot wait: timeout is "soon", allowed is a whole number of ms'),
    })
    await vi.advanceTimersByTimeAsync(1_000)
    expect(wait.atMs).toBe(1_000)
  })
})

describe("WaitingLine", () => {
  test("size tells how many wait", async () => {
    const line = new WaitingLine(new RateLimiter("1/second"))
    await line.acquire("a")
    const wait = line.acquire("a")
    expect(line.size).toBe(1)
    await vi.advanceTimersByTimeAsync(1_000)
    await wait
    expect(line.size).toBe(0)
  })

  test("admits exactly what the policy allows among many waiting keys and costs", async () => {
    const limiter = new RateLimiter("50/second burst 10")
    const admitted: { atMs: number; cost: number }[] = []
    for (let index = 0; index < 200; index++) {
      const cost = 1 + (index % 3)
      limiter.acquire("a", { cost }).then(() => admitted.push({ atMs: Date.now() - 1_700_000_000_000, cost }))
    }
    await vi.advanceTimersByTimeAsync(60_000)
    expect(admitted.length).toBe(200)
    let units = 0
    for (const { atMs, cost } of admitted) {
      units += cost
      expect(units).toBeLessThanOrEqual(10 + Math.floor((atMs * 50) / 1_000))
    }
    // 399 units at 50 a second after a burst of 10: the last is there after 7,780 ms, and not later.
    expect(admitted.at(-1)!.atMs).toBe(7_780)
  })
})

describe("WaitingLine on Workers, where each call waits by itself", () => {
  beforeEach(() => vi.stubGlobal("navigator", { userAgent: "Cloudflare-Workers" }))
  afterEach(() => {
    vi.unstubAllGlobals()
    vi.restoreAllMocks()
  })

  test.each([undefined, null, "ok"])("says so where the limiter's answer is %j", async (answer) => {
    const text = "Cannot wait: the limiter's answer is"
    for (const check of [() => answer, async () => answer]) {
      await expect(acquire({ check, refund() {} } as never, "a")).rejects.toThrow(text)
    }
  })

  test("looks at no other calls that wait, below `maxWaiting`", async () => {
    const limiter = new RateLimiter("1/hour", { maxWaiting: 30, clock: new ManualClock(0) })
    await limiter.acquire("a")
    const reads = vi.spyOn(Date, "now")
    const controller = new AbortController()
    const { signal } = controller
    const waits: Promise<unknown>[] = []
    const readsOf = (calls: number) => {
      reads.mockClear()
      for (let call = 0; call < calls; call++) waits.push(limiter.acquire("a", { signal }).catch((error) => error))
      return reads.mock.calls.length
    }
    expect(new Set([readsOf(10), readsOf(10), readsOf(10)]).size).toBe(1)
    expect(await limiter.acquire("a").catch((error) => error)).toBeInstanceOf(QueueFull)
    controller.abort()
    await Promise.all(waits)
  })
})
