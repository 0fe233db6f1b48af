import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test"
import { describe, expect, test } from "vitest"
import { readRpcDecision } from "../../worker/rpc-decision.js"
import { clockedLimiter, NOTHING_STORED, realLimiter, rowsOf, stored, subjectTextOf } from "./objects.js"

const HOUR_MS = 3_600_000

/** Has an object's storage refuse the next alarm that is set. */
function failNextAlarm(object: Parameters<typeof stored>[0]): Promise<void> {
  return runInDurableObject(object, (_object, { storage }) => {
    const { setAlarm } = storage
    storage.setAlarm = () => {
      storage.setAlarm = setAlarm
      return Promise.reject(new TypeError("not now"))
    }
  })
}

describe("the alarm of LimiterObject", () => {
  test("is set by the first check, for an hour after the key is full", async () => {
    const { limiter, object } = realLimiter("10/minute")
    const before = Date.now()
    await limiter.check("a", { cost: 10 })
    const { alarm } = await stored(object())
    expect(alarm).toBeGreaterThanOrEqual(before + 60_000 + HOUR_MS)
    expect(alarm).toBeLessThanOrEqual(Date.now() + 60_000 + HOUR_MS)
  })

  test("is set by a first check that is refused too: its policy is stored", async () => {
    const { limiter, object } = clockedLimiter("10/minute")
    const text = subjectTextOf(limiter.policy.canonical)
    await runInDurableObject(object(), async (instance) => {
      await expect((async () => instance.decide("", text, 1))()).rejects.toThrow()
    })
    const { tables, alarm } = await stored(object())
    expect(tables).not.toEqual([])
    expect(alarm).not.toBeNull()
  })

  test("is set once: later checks write no row for it", async () => {
    const { limiter, object } = realLimiter("1000/day")
    await limiter.check("a")
    const { alarm } = await stored(object())
    for (let check = 0; check < 10; check++) await limiter.check("a")
    expect((await stored(object())).alarm).toBe(alarm)
  })

  test("is set as far ahead as can be where the key is full later, and comes again", async () => {
    const { limiter, object } = realLimiter("1/minute")
    await limiter.charge("a", 2 ** 31)
    const { alarm } = await stored(object())
    expect(new Date(alarm!).getUTCFullYear()).toBe(2189)
    expect(await runDurableObjectAlarm(object())).toBe(true)
    expect((await stored(object())).alarm).toBe(alarm)
  })

  test("that could not be set is set by the next call", async () => {
    const { limiter, object } = realLimiter("1/minute")
    await failNextAlarm(object())
    await limiter.check("a")
    await limiter.check("a")
    expect((await stored(object())).alarm).not.toBeNull()
  })

  test("that cannot be set again fails, so that the runtime repeats it", async () => {
    const { limiter, object } = clockedLimiter("1/day")
    await limiter.check("a")
    await failNextAlarm(object())
    await expect(runDurableObjectAlarm(object())).rejects.toThrow("not now")
    await limiter.check("a")
    expect((await stored(object())).alarm).not.toBeNull()
  })

  test("leaves an object whose key is used, and comes again", async () => {
    const { clock, limiter, object } = clockedLimiter("10/day")
    await limiter.check("a", { cost: 10 })
    clock.advance(24 * HOUR_MS - 1)
    expect(await runDurableObjectAlarm(object())).toBe(true)
    expect((await stored(object())).alarm).not.toBeNull()
    expect(await limiter.check("a", { cost: 10 })).toMatchObject({ allowed: false, retryAfterMs: 1 })
  })

  test("leaves an object whose key is blocked", async () => {
    const { clock, limiter, object } = clockedLimiter("10/second")
    await limiter.block("a", "1w")
    clock.advance(7 * 24 * HOUR_MS - 1)
    expect(await runDurableObjectAlarm(object())).toBe(true)
    expect(await limiter.check("a")).toMatchObject({ allowed: false, reason: "blocked", retryAfterMs: 1 })
  })

  test("leaves an object that was asked within the hour", async () => {
    const { clock, limiter, object } = clockedLimiter("10/second")
    await limiter.check("a")
    clock.advance(HOUR_MS)
    await limiter.check("a")
    clock.advance(HOUR_MS - 1)
    const before = await rowsOf(object())
    expect(await runDurableObjectAlarm(object())).toBe(true)
    expect(await rowsOf(object())).toEqual(before)
    expect((await stored(object())).alarm).not.toBeNull()
    clock.advance(1)
    expect(await runDurableObjectAlarm(object())).toBe(true)
    expect(await stored(object())).toEqual(NOTHING_STORED)
  })

  test("leaves an object that was used within the hour and evicted since, with its ids and receipts", async () => {
    const { clock, limiter, object } = clockedLimiter("10/second")
    await limiter.check("a")
    clock.advance(HOUR_MS + 500)
    const { receipt } = await limiter.check("a", { cost: 2, id: "x" })
    clock.advance(2_000)
    await evictDurableObject(object())
    expect(await runDurableObjectAlarm(object())).toBe(true)
    expect((await limiter.check("a", { cost: 2, id: "x" })).receipt).toEqual(receipt)
    await limiter.settle(receipt!, 5)
    expect((await limiter.peek("a")).remaining).toBe(7)
    clock.advance(HOUR_MS + 1_000)
    await evictDurableObject(object())
    expect(await runDurableObjectAlarm(object())).toBe(true)
    expect(await stored(object())).toEqual(NOTHING_STORED)
  })

  test("wipes an object that was only asked questions, however it is opened for them", async () => {
    const { clock, limiter, object } = clockedLimiter("10/second", { sync: "ahead" })
    await limiter.charge("a", 1)
    for (let minute = 0; minute < 120; minute += 40) {
      clock.advance(HOUR_MS * (2 / 3))
      await evictDurableObject(object())
      await limiter.status("a")
    }
    expect(await runDurableObjectAlarm(object())).toBe(true)
    expect(await stored(object())).toEqual(NOTHING_STORED)
  })

  test("wipes an object whose key is full again: no table is left, and no alarm", async () => {
    const { clock, limiter, object } = clockedLimiter("10/minute")
    await limiter.check("a", { cost: 10 })
    clock.advance(60_000 + HOUR_MS)
    expect(await runDurableObjectAlarm(object())).toBe(true)
    expect(await stored(object())).toEqual(NOTHING_STORED)
    expect(await runDurableObjectAlarm(object())).toBe(false)
  })

  test("wipes an object that was evicted meanwhile", async () => {
    const { clock, limiter, object } = clockedLimiter("10/minute")
    await limiter.check("a", { cost: 10 })
    await evictDurableObject(object())
    clock.advance(60_000 + HOUR_MS)
    expect(await runDurableObjectAlarm(object())).toBe(true)
    expect(await stored(object())).toEqual(NOTHING_STORED)
  })

  test("wipes an hour after a clock that was ahead was set back", async () => {
    const { clock, limiter, object } = clockedLimiter("10/minute")
    const startMs = clock.now()
    clock.set(startMs + 1_000 * HOUR_MS)
    await limiter.charge("a", 0)
    clock.set(startMs)
    expect(await runDurableObjectAlarm(object())).toBe(true)
    expect(await rowsOf(object())).not.toBeNull()
    clock.advance(HOUR_MS)
    expect(await runDurableObjectAlarm(object())).toBe(true)
    expect(await stored(object())).toEqual(NOTHING_STORED)
  })

  test("leaves an object that works: in the same instance, and in the next", async () => {
    const { clock, limiter, object } = clockedLimiter("10/minute")
    for (const _round of [1, 2, 3]) {
      expect(await limiter.check("a", { cost: 4 })).toMatchObject({ allowed: true, remaining: 6 })
      expect((await stored(object())).alarm).not.toBeNull()
      clock.advance(60_000 + HOUR_MS)
      expect(await runDurableObjectAlarm(object())).toBe(true)
    }
    await evictDurableObject(object())
    expect(await limiter.check("a", { cost: 4 })).toMatchObject({ allowed: true, remaining: 6 })
    expect(await object().verify()).toMatchObject({ replayEqualsLive: true })
    expect(await object().report()).toMatchObject({ admitted: 1 })
  })

  test("loses no check that comes at the same time", async () => {
    for (let round = 0; round < 25; round++) {
      const { clock, limiter, object } = clockedLimiter("10/day")
      await limiter.check("a", { cost: 3 })
      clock.advance(48 * HOUR_MS)
      // The alarm and the checks wait together for an evicted object, or find it there.
      if (round % 2 === 0) await evictDurableObject(object())
      const checks = () => [limiter.check("a"), limiter.check("a")]
      const early = round % 3 === 0 ? checks() : []
      const alarm = runDurableObjectAlarm(object())
      const decisions = await Promise.all([...early, ...checks()])
      expect(await alarm).toBe(true)
      expect(decisions.every(({ allowed }) => allowed)).toBe(true)
      const { remaining } = await limiter.status("a")
      expect(remaining).toBe(10 - decisions.length)
      await evictDurableObject(object())
      expect(await limiter.status("a")).toMatchObject({ remaining })
      expect((await stored(object())).alarm).not.toBeNull()
    }
  }, 30_000)

  test("loses no check that the same turn of the object brings", async () => {
    const { clock, limiter, object } = clockedLimiter("10/day")
    const text = subjectTextOf(limiter.policy.canonical)
    await limiter.check("a", { cost: 3 })
    clock.advance(48 * HOUR_MS)
    await evictDurableObject(object())
    const decisions = await runInDurableObject(object(), async (instance) => {
      const alarm = instance.alarm()
      const checks = Array.from({ length: 5 }, () => instance.decide("a", text, 1))
      await alarm
      return Promise.all([...checks, instance.decide("a", text, 1)])
    })
    expect(decisions.map((told) => readRpcDecision(told, "a", 1, limiter.policy).allowed)).toEqual(Array(6).fill(true))
    await evictDurableObject(object())
    expect(await limiter.status("a")).toMatchObject({ remaining: 4 })
  })

  test("loses no check that comes while the storage is being wiped", async () => {
    const { clock, limiter, object } = clockedLimiter("10/day")
    const text = subjectTextOf(limiter.policy.canonical)
    await limiter.check("a", { cost: 3 })
    clock.advance(48 * HOUR_MS)
    await runInDurableObject(object(), async (instance, { storage }) => {
      const { deleteAll } = storage
      const { promise: wait, resolve: wipe } = Promise.withResolvers<void>()
      storage.deleteAll = async () => {
        storage.deleteAll = deleteAll
        await wait
        await storage.deleteAll()
      }
      const alarm = instance.alarm()
      const check = instance.decide("a", text, 1)
      // Time enough for a check that would not wait.
      for (let turns = 0; turns < 20; turns++) await new Promise((resolve) => setTimeout(resolve, 0))
      wipe()
      await alarm
      expect(readRpcDecision(await check, "a", 1, limiter.policy)).toMatchObject({ allowed: true, remaining: 9 })
    })
    await evictDurableObject(object())
    expect(await limiter.status("a")).toMatchObject({ remaining: 9 })
  })

  test("of a corrupt object throws and wipes nothing", async () => {
    const { clock, limiter, object } = clockedLimiter("10/minute")
    await limiter.check("a")
    await runInDurableObject(object(), (_object, { storage }) => {
      storage.sql.exec("UPDATE sluice_log SET body = zeroblob(length(body)) WHERE id = 1")
    })
    const before = await rowsOf(object())
    await evictDurableObject(object())
    clock.advance(48 * HOUR_MS)
    await runInDurableObject(object(), async (instance) => {
      await expect(instance.alarm()).rejects.toMatchObject({ name: "StoreCorrupt", row: "segment 1" })
    })
    expect(await rowsOf(object())).toEqual(before)
  })
})
