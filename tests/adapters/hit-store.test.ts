import { describe, expect, test } from "vitest"
import { HitStore, type HitStoreOptions, type MiddlewareOptions } from "../../src/adapters/hit-store.js"
import { RateLimiter } from "../../src/limiter/rate-limiter.js"
import { ManualClock } from "../../src/types/clock.js"
import { PolicyError } from "../../src/types/errors.js"

const START_MS = 1_000_000

function storeOf(options: HitStoreOptions = {}, limit: unknown = 2) {
  const clock = new ManualClock(START_MS)
  const store = new HitStore({ clock, ...options })
  store.init({ windowMs: 1_000, limit })
  return { store, clock }
}

describe("HitStore", () => {
  test("counts beyond any limit, in a window that starts with the first hit", async () => {
    const { store, clock } = storeOf()
    const resetTime = new Date(START_MS + 1_000)
    for (const totalHits of [1, 2, 3]) expect(await store.increment("a")).toEqual({ totalHits, resetTime })
    clock.advance(999)
    expect(await store.increment("a")).toEqual({ totalHits: 4, resetTime })
    clock.advance(1)
    expect(await store.increment("a")).toEqual({ totalHits: 1, resetTime: new Date(START_MS + 2_000) })
  })

  test("get() counts nothing, and knows nothing of a key without hits", async () => {
    const { store } = storeOf()
    expect(await store.get("a")).toBeUndefined()
    await store.increment("a")
    expect(await store.get("a")).toMatchObject({ totalHits: 1 })
    expect(await store.get("a")).toMatchObject({ totalHits: 1 })
  })

  test("decrement() takes the last hit back once, and nothing of a window that is over", async () => {
    const { store, clock } = storeOf()
    await store.increment("a")
    await store.increment("a")
    await store.decrement("a")
    expect(await store.get("a")).toMatchObject({ totalHits: 1 })
    clock.advance(1_000)
    await store.increment("a")
    await store.decrement("a")
    await store.decrement("a")
    await store.decrement("a")
    expect(await store.get("a")).toBeUndefined()
    await store.increment("a")
    expect(await store.get("a")).toMatchObject({ totalHits: 1 })
  })

  test("resetKey() forgets one key, resetAll() all in memory", async () => {
    const { store } = storeOf()
    for (const key of ["a", "b"]) await store.increment(key)
    await store.resetKey("a")
    expect([await store.get("a"), (await store.get("b"))?.totalHits]).toEqual([undefined, 1])
    store.resetAll!()
    expect(await store.get("b")).toBeUndefined()
    // What was counted before is nobody's to take back.
    await store.decrement("b")
    expect(new HitStore({ limiter: new RateLimiter("1/second") }).resetAll).toBeUndefined()
  })

  test("resetAll() before init() forgets nothing, and is no error", async () => {
    const store = new HitStore({ clock: new ManualClock(START_MS) })
    store.resetAll!()
    store.init({ windowMs: 1_000, limit: 2 })
    expect(await store.increment("a")).toMatchObject({ totalHits: 1 })
  })

  test("keeps stores over one limiter apart by prefix, and takes any key", async () => {
    const limiter = new RateLimiter("1/second", { clock: new ManualClock(START_MS) })
    const one = storeOf({ limiter, prefix: "one:" }, 1).store
    const two = storeOf({ limiter, prefix: "two:" }, 1).store
    for (const key of ["a", "", "x".repeat(10_000), "__proto__"]) {
      expect([(await one.increment(key)).totalHits, (await two.increment(key)).totalHits]).toEqual([1, 1])
      expect((await one.increment(key)).totalHits).toBe(2)
    }
    expect([one.localKeys, storeOf().store.localKeys]).toEqual([false, true])
  })

  test("tells a denial as one hit more than the limit, whatever the limiter's own numbers are", async () => {
    const limiter = new RateLimiter("5/minute burst 3", { clock: new ManualClock(START_MS) })
    const { store } = storeOf({ limiter }, 4)
    const hits: number[] = []
    for (let hit = 0; hit < 5; hit++) hits.push((await store.increment("a")).totalHits)
    expect(hits).toEqual([2, 3, 4, 5, 5])
  })

  test("counts where the limit is 0, which admits nothing", async () => {
    const clock = new ManualClock(START_MS)
    for (const options of [
      { algorithm: "gcra" },
      { limiter: new RateLimiter("2/minute burst 9", { clock }) },
    ] as const) {
      const { store } = storeOf(options, 0)
      for (let hit = 0; hit < 3; hit++) expect((await store.increment("a")).totalHits).toBeGreaterThan(0)
    }
  })

  test("says at every hit why init() failed, since middlewares only log it", async () => {
    const store = new HitStore({ algorithm: "gcra" })
    store.init({ windowMs: 1_000, limit: 1 })
    expect(() => store.init({ windowMs: 1_000, limit: () => 3 })).toThrow("limit is a function")
    await expect(store.increment("a")).rejects.toThrow("limit is a function")
    store.init({ windowMs: 1_000, limit: 1 })
    expect(await store.increment("a")).toMatchObject({ totalHits: 1 })
  })

  test.each([{ skipFailedRequests: true }, { skipSuccessfulRequests: true }])(
    "gives nothing back for a denial that the middleware takes back, with %j",
    async (skips) => {
      const store = new HitStore({ algorithm: "gcra", clock: new ManualClock(START_MS) })
      store.init({ windowMs: 1_000, limit: 1, ...skips })
      const hits: number[] = []
      for (let hit = 0; hit < 4; hit++) {
        hits.push((await store.increment("a")).totalHits)
        if (hits.at(-1) === 2) await store.decrement("a")
      }
      expect(hits).toEqual([1, 2, 2, 2])
      await store.decrement("a")
      expect(await store.increment("a")).toMatchObject({ totalHits: 1 })
    },
  )

  describe("of the receipts of its hits", () => {
    /** A store over a limiter of one's own, `hit` of it so many times, and how many of those it gives back. */
    function recorded(policy: string, options: Partial<MiddlewareOptions> = {}) {
      const clock = new ManualClock(START_MS)
      const limiter = new RateLimiter(policy, { clock })
      let refunds = 0
      const store = new HitStore({
        clock,
        limiter: {
          check: (key) => limiter.check(key),
          peek: (key) => limiter.peek(key),
          reset: (key) => limiter.reset(key),
          refund: () => void refunds++,
        },
      })
      store.init({ windowMs: 1_000, limit: 1_000_000, ...options })
      const hit = async (key: string, count: number) => {
        for (let hits = 0; hits < count; hits++) await store.increment(key)
      }
      const givenBack = async (key: string, count: number) => {
        const before = refunds
        for (let hits = 0; hits < count; hits++) await store.decrement(key)
        return refunds - before
      }
      return { clock, hit, givenBack }
    }

    test("forgets those of windows that are over", async () => {
      const { clock, hit, givenBack } = recorded("1000000/second fixed_window", { skipFailedRequests: true })
      for (const key of ["a", "b"]) await hit(key, 1_000)
      clock.advance(2_500)
      await hit("c", 2)
      expect([await givenBack("a", 1_000), await givenBack("b", 1_000), await givenBack("c", 3)]).toEqual([0, 0, 2])
    })

    test("keeps those that the longest rule can still give back", async () => {
      const { clock, hit, givenBack } = recorded("10/second; 1000/hour fixed_window", { skipFailedRequests: true })
      await hit("a", 5)
      for (let second = 0; second < 10; second++) {
        clock.advance(1_000)
        await hit("b", 1)
      }
      expect(await givenBack("a", 6)).toBe(5)
    })

    test.each<[number, Partial<MiddlewareOptions>]>([
      [65_536, { skipFailedRequests: true }],
      [65_536, { skipSuccessfulRequests: true }],
      [4_096, {}],
    ])("holds at most %i of all keys together, the last ones, with %j", async (most, options) => {
      const { hit, givenBack } = recorded("1000000/hour", options)
      const keys = Array.from({ length: 96 }, (_, index) => `key ${index}`)
      for (const key of keys) await hit(key, 1_000)
      const counts: number[] = []
      for (const key of keys) counts.push(await givenBack(key, 1_000))
      const held = counts.reduce((sum, count) => sum + count, 0)
      expect(held).toBeGreaterThanOrEqual(most / 2)
      expect(held).toBeLessThanOrEqual(most)
      // Of one key some, of all before it none, of all after it all.
      expect(counts).toEqual(counts.toSorted((one, other) => one - other))
      expect(counts.filter((count) => count > 0 && count < 1_000).length).toBeLessThanOrEqual(1)
    })
  })

  test("keeps the receipt of a hit under way however many others come and are taken back", async () => {
    const { store } = storeOf()
    store.init({ windowMs: 1_000, limit: 2, skipSuccessfulRequests: true })
    await store.increment("slow")
    for (let hit = 0; hit < 70_000; hit++) {
      await store.increment("b")
      await store.decrement("b")
    }
    await store.decrement("slow")
    expect(await store.get("slow")).toBeUndefined()
  })

  test("has nothing to take back of a hit that resetAll() overtakes", async () => {
    const { store } = storeOf()
    store.init({ windowMs: 1_000, limit: 2, skipFailedRequests: true })
    const hit = store.increment("a")
    store.resetAll!()
    await hit
    await store.decrement("a")
    expect(await store.get("a")).toBeUndefined()
    await store.increment("b")
    const back = store.decrement("b")
    store.resetAll!()
    await back
    expect(await store.get("b")).toBeUndefined()
  })

  test.each<[string, unknown]>([
    ["algorithm", { algorithm: "gcar" }],
    ["limiter", { limiter: {} }],
    ["limiter", { limiter: "memory" }],
    ["prefix", { prefix: 5 }],
    ["maxKeys", { maxKeys: 0 }],
    ["clock", { clock: {} }],
    ['did you mean "algorithm"', { algoritm: "gcra" }],
  ])("refuses a bad %s at construction: %j", (field, options) => {
    expect(() => new HitStore(options as HitStoreOptions)).toThrow(field)
  })

  test("refuses what cannot be", async () => {
    expect(() => new HitStore({ limiter: new RateLimiter("1/second"), algorithm: "gcra" })).toThrow("algorithm")
    expect(() => storeOf({ algorithm: "gcra" }, () => 3)).toThrow("limit is a function")
    expect(() => storeOf({ algorithm: "gcra" }, 0.5)).toThrow(PolicyError)
    expect(() => new HitStore().init({ windowMs: 0, limit: 1 })).toThrow(PolicyError)
    await expect(new HitStore().increment("a")).rejects.toThrow("init()")
  })
})
