import { afterEach, beforeEach, describe, expect, test, vi } from "vitest"
import {
  acquire,
  type Decision,
  ManualClock,
  Permit,
  QueueFull,
  RateLimiter,
  type SettlingChecker,
  TimeoutExceeded,
  WaitingLine,
  type WaitingLineOptions,
} from "../../src/index.js"
import { makeDecision } from "../make-decision.js"

beforeEach(() => vi.useFakeTimers({ now: 1_700_000_000_000 }))
afterEach(() => vi.useRealTimers())

/** Notes at which ms a promise was settled, and how. */
function watch(promise: Promise<unknown>) {
  const startMs = Date.now()
  const seen: { atMs: number | null; error: unknown; value: unknown } = { atMs: null, error: null, value: null }
  promise.then(
    (value) => Object.assign(seen, { atMs: Date.now() - startMs, value }),
    (error) => Object.assign(seen, { atMs: Date.now() - startMs, error }),
  )
  return seen
}

const settled = () => vi.advanceTimersByTimeAsync(0)

/** The same limiter, by promise: as a Durable Object or a server would answer. */
function remote(limiter: RateLimiter, latencyMs = 10): SettlingChecker & { readonly calls: number } {
  let calls = 0
  const later = () => new Promise((resolve) => setTimeout(resolve, latencyMs))
  return {
    get calls() {
      return calls
    },
    async check(key, options) {
      calls += 1
      await later()
      return limiter.check(key, options)
    },
    async refund(receipt, units) {
      await later()
      limiter.refund(receipt, units)
    },
    async settle(receipt, cost) {
      await later()
      limiter.settle(receipt, cost)
    },
  }
}

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

  test("holds the permit of a leaky bucket until the request may leave", async () => {
    const limiter = new RateLimiter("10/second leaky_bucket")
    const waits = [0, 1, 2].map(() => watch(limiter.acquire("a")))
    await vi.advanceTimersByTimeAsync(1_000)
    expect(waits.map(({ atMs }) => atMs)).toEqual([0, 100, 200])
  })

  test("holds no more requests of a leaky bucket than may wait, over all keys", async () => {
    const limiter = new RateLimiter("10/second leaky_bucket", { maxWaiting: 2 })
    const first = ["a", "b", "c", "d"].map((key) => watch(limiter.acquire(key)))
    const held = ["a", "b", "c", "d"].map((key) => watch(limiter.acquire(key)))
    await settled()
    expect(first.map(({ atMs }) => atMs)).toEqual([0, 0, 0, 0])
    expect(held.map(({ error }) => (error as Error | undefined)?.name)).toEqual([
      undefined,
      undefined,
      "QueueFull",
      "QueueFull",
    ])
    expect(limiter.peek("c").remaining).toBe(9)
  })

  test("charges nothing for a request of a leaky bucket that would be held too long, or beside too many", async () => {
    const limiter = new RateLimiter("10/second leaky_bucket", { maxWaiting: 1, stats: true })
    await limiter.acquire("a", { cost: 5 })
    await expect(limiter.acquire("a", { timeout: 499 })).rejects.toMatchObject({
      name: "TimeoutExceeded",
      retryAfterMs: 500,
    })
    const held = watch(limiter.acquire("a", { timeout: 500 }))
    await expect(limiter.acquire("a")).rejects.toBeInstanceOf(QueueFull)
    expect(limiter.stats("a")).toMatchObject({ totalAllowed: 2, totalAllowedCost: 6 })
    await vi.advanceTimersByTimeAsync(500)
    expect(held).toMatchObject({ atMs: 500, error: null })
  })

  test("tells the shrinking hold of a leaky bucket where a clock that had jumped was set back", async () => {
    let aheadMs = 86_400_000
    const limiter = new RateLimiter("10/second leaky_bucket", { clock: { now: () => Date.now() + aheadMs } })
    limiter.check("a", { cost: 9 })
    aheadMs = 0
    const holdMs = () => limiter.acquire("a", { timeout: 0 }).then(String, ({ retryAfterMs }) => retryAfterMs)
    expect(await holdMs()).toBe(900)
    await vi.advanceTimersByTimeAsync(300)
    expect(await holdMs()).toBe(600)
  })

  test("gives the charge of a held request back where its wait ends", async () => {
    const limiter = new RateLimiter("10/second leaky_bucket")
    await limiter.acquire("a", { cost: 5 })
    const controller = new AbortController()
    const aborted = watch(limiter.acquire("a", { signal: controller.signal }))
    await expect(limiter.acquire("a", { timeout: 100 })).rejects.toMatchObject({
      name: "TimeoutExceeded",
      retryAfterMs: 600,
    })
    expect(limiter.peek("a").remaining).toBe(4)
    controller.abort()
    await settled()
    expect(aborted.error).toMatchObject({ name: "AbortError" })
    expect(limiter.peek("a").remaining).toBe(5)
  })
})

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

describe("acquire() over a limiter that answers by promise", () => {
  test("asks anew where quota came back while it was asking, and only once for each", async () => {
    const counts = new RateLimiter("1/hour")
    let answer = (_: Decision) => {}
    let asked = 0
    const limiter: SettlingChecker = {
      check(key, options) {
        asked += 1
        const decision = counts.check(key, options)
        return asked === 2 ? new Promise((resolve) => (answer = () => resolve(decision))) : Promise.resolve(decision)
      },
      refund: async (receipt, units) => counts.refund(receipt, units),
    }
    const charged = await acquire(limiter, "a")
    const wait = watch(acquire(limiter, "a"))
    await charged.refund()
    answer(counts.peek("a"))
    await settled()
    expect([wait.atMs, wait.error, asked]).toEqual([0, null, 3])
  })

  test("asks for the first of a key only, and again when its wait is over", async () => {
    const limiter = remote(new RateLimiter("10/second burst 1"))
    const waits = [0, 1, 2].map(() => watch(acquire(limiter, "a")))
    await vi.advanceTimersByTimeAsync(1_000)
    expect(waits.map(({ atMs }) => atMs)).toEqual([10, 120, 230])
    expect(limiter.calls).toBe(5)
  })

  test("looks before it charges, once it knows that the limit holds requests", async () => {
    const counts = new RateLimiter("10/second leaky_bucket")
    const told: string[] = []
    const limiter: SettlingChecker = {
      check: async (key, options) => {
        told.push("check")
        return counts.check(key, options)
      },
      peek: async (key, options) => {
        told.push("peek")
        return counts.peek(key, options)
      },
      refund: async (receipt, units) => {
        told.push("refund")
        counts.refund(receipt, units)
      },
    }
    const late = () => acquire(limiter, "a", { timeout: 50 }).catch(({ retryAfterMs }) => retryAfterMs)
    await acquire(limiter, "a", { timeout: 50 })
    expect([await late(), await late(), await late()]).toEqual([100, 100, 100])
    expect(told).toEqual(["check", "check", "refund", "peek", "peek"])
    await vi.advanceTimersByTimeAsync(50)
    await Promise.all([acquire(limiter, "a", { timeout: 50 }), vi.advanceTimersByTimeAsync(50)])
    expect(told.slice(5)).toEqual(["peek", "check"])
    expect(counts.peek("a").remaining).toBe(9)
  })

  test("asks by checkWithin how long at most a request may be held, where it may be told", async () => {
    const counts = new RateLimiter("10/second leaky_bucket", { stats: true })
    const limiter: SettlingChecker = {
      check: async (key, options) => counts.check(key, options),
      checkWithin: vi.fn(async (key: string, cost: number, maxDelayMs: number) => {
        const seen = counts.peek(key, { cost })
        return seen.delayMs > maxDelayMs ? seen : counts.check(key, { cost })
      }),
      refund: async (receipt) => counts.refund(receipt),
    }
    await acquire(limiter, "a", { cost: 2 })
    expect(limiter.checkWithin).not.toHaveBeenCalled()
    await expect(acquire(limiter, "a", { timeout: 199 })).rejects.toBeInstanceOf(TimeoutExceeded)
    expect(limiter.checkWithin).toHaveBeenCalledWith("a", 1, 199)
    expect(counts.stats("a").totalAllowed).toBe(1)
  })

  test("gives back what was charged for a call that was aborted meanwhile", async () => {
    const counts = new RateLimiter("3/hour")
    const controller = new AbortController()
    const limiter = remote(counts)
    const aborted = watch(acquire(limiter, "a", { signal: controller.signal }))
    const next = watch(acquire(limiter, "a"))
    await vi.advanceTimersByTimeAsync(5)
    controller.abort()
    await settled()
    expect(aborted).toMatchObject({ atMs: 5, error: { name: "AbortError" } })
    await vi.advanceTimersByTimeAsync(100)
    expect(next).toMatchObject({ error: null, atMs: 20 })
    expect(counts.peek("a").remaining).toBe(2)
  })

  test.each([
    [{}, { cost: 1 }],
    [{ cost: 10 }, {}],
  ])("asks for the next of %j and %j when the first gives up, since it may cost less", async (first, next) => {
    const counts = new RateLimiter("10/second")
    counts.check("a", { cost: 8 })
    const usual = "cost" in first ? 1 : 10
    const limiter: SettlingChecker = {
      check: (key, { cost = usual, ...options } = {}) => counts.check(key, { cost, ...options }),
      refund: (receipt) => counts.refund(receipt),
    }
    const controller = new AbortController()
    const waits = watch(acquire(limiter, "a", { ...first, signal: controller.signal }))
    const seen = watch(acquire(limiter, "a", next))
    await settled()
    expect([waits.atMs, seen.atMs]).toEqual([null, null])
    controller.abort()
    await settled()
    expect([waits.error, seen.atMs]).toMatchObject([{ name: "AbortError" }, 0])
  })

  test("fails with the limiter's error, and those behind go on", async () => {
    let fails = true
    const counts = new RateLimiter("3/hour")
    const limiter: SettlingChecker = {
      async check(key, options): Promise<Decision> {
        if (!fails) return counts.check(key, options)
        fails = false
        throw new Error("out of reach")
      },
      refund: (receipt) => counts.refund(receipt),
    }
    const [first, second] = [watch(acquire(limiter, "a")), watch(acquire(limiter, "a"))]
    await settled()
    expect(first.error).toMatchObject({ message: "out of reach" })
    expect(second.value).toBeInstanceOf(Permit)
  })

  test.each([
    ["undefined", undefined],
    ["null by promise", Promise.resolve(null)],
    ["a text by promise", Promise.resolve("ok")],
    ["a denial without a wait", makeDecision({ allowed: false, retryAfterMs: undefined as never })],
    ["a denial whose wait is null", makeDecision({ allowed: false, retryAfterMs: null as never })],
    ["a denial whose wait is a text", makeDecision({ allowed: false, retryAfterMs: "" as never })],
    ["a denial whose wait is a list", makeDecision({ allowed: false, retryAfterMs: [] as never })],
    ["an admission whose delay is no number", makeDecision({ delayMs: Number.NaN })],
    ["an admission whose delay is null", makeDecision({ delayMs: null as never })],
  ])("fails where the answer is %s, and those behind go on", async (_what, answer) => {
    const counts = new RateLimiter("3/hour")
    const answers = [answer]
    const limiter: SettlingChecker = {
      check: (key, options) => (answers.length > 0 ? (answers.pop() as never) : counts.check(key, options)),
      refund: (receipt) => counts.refund(receipt),
    }
    const [first, second] = [watch(acquire(limiter, "a")), watch(acquire(limiter, "a"))]
    await settled()
    expect(first.error).toMatchObject({
      name: "RangeError",
      message: expect.stringMatching(/^Cannot wait: the limiter's answer is .*, allowed is the decision of a check\.$/),
    })
    expect(second.value).toBeInstanceOf(Permit)
    expect(vi.getTimerCount()).toBe(0)
  })

  test("lets the answer decide, not the deadline that passes meanwhile", async () => {
    const permit = acquire(remote(new RateLimiter("1/hour"), 50), "a", { timeout: 0 })
    const seen = watch(permit)
    await vi.advanceTimersByTimeAsync(50)
    expect(seen.value).toBeInstanceOf(Permit)
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
