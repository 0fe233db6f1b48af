import { evictDurableObject, runInDurableObject } from "cloudflare:test"
import { describe, expect, test } from "vitest"
import { clockedLimiter, longPolicies, realLimiter, rowsOf, subjectTextOf } from "./objects.js"

const allAlgorithms =
  "20/day; 20/day token_bucket; 20/day leaky_bucket; 20/day fixed_window; 20/day sliding_window; 20/day sliding_window_log"

describe("LimiterObject after it was evicted", () => {
  test("goes on with the same counts under every algorithm", async () => {
    const { clock, limiter, object } = clockedLimiter(allAlgorithms)
    await limiter.check("a", { cost: 5 })
    clock.advance(3_600_000)
    await limiter.check("a", { cost: 7 })
    await limiter.check("a", { cost: 20 })
    const before = { status: await limiter.status("a"), stats: await limiter.stats("a"), rows: await rowsOf(object()) }
    await evictDurableObject(object())
    expect(await limiter.status("a")).toEqual(before.status)
    // A denial is told with the next commit; until then an eviction forgets that it was counted.
    expect(await limiter.stats("a")).toEqual({
      ...before.stats,
      totalDenied: 0,
      totalDeniedCost: 0,
      lastDeniedAt: null,
    })
    expect(await rowsOf(object())).toEqual(before.rows)
    expect(await limiter.check("a", { cost: 8 })).toMatchObject({ allowed: true })
    expect(await object().verify()).toMatchObject({ replayEqualsLive: true })
  })

  test("keeps blocks, debts and settled receipts", async () => {
    const { limiter, object } = clockedLimiter("20/day fixed_window")
    const { receipt } = await limiter.check("a", { cost: 5 })
    await limiter.refund(receipt!, 2)
    await limiter.charge("a", 30)
    await limiter.block("a", "1h")
    const before = await limiter.status("a")
    await evictDurableObject(object())
    expect(await limiter.status("a")).toEqual(before)
    expect(before).toMatchObject({ remaining: 0, blockedForMs: 3_600_000 })
    await limiter.refund(receipt!, 5)
    expect(await limiter.status("a")).toEqual(before)
    expect(await limiter.unblock("a")).toBe(true)
    await evictDurableObject(object())
    expect(await limiter.status("a")).toMatchObject({ blockedForMs: 0 })
  })

  test("keeps a block that a denial started", async () => {
    const { clock, limiter, object } = clockedLimiter({ limit: 1, period: "1s", block: "1h" })
    await limiter.check("a")
    expect(await limiter.check("a")).toMatchObject({ allowed: false, reason: "limit" })
    await evictDurableObject(object())
    clock.advance(3_599_999)
    expect(await limiter.check("a")).toMatchObject({ allowed: false, reason: "blocked", retryAfterMs: 1 })
  })

  test.each(["gcra", "fixed_window", "sliding_window", "sliding_window_log"] as const)(
    "keeps that a denial moved its key back where the clock was set back: %s",
    async (algorithm) => {
      const { clock, limiter, object } = clockedLimiter({ limit: 10, period: "1m", algorithm })
      await limiter.check("a", { cost: 10 })
      clock.advance(-3_600_000)
      const denied = await limiter.check("a")
      expect(denied.allowed).toBe(false)
      await evictDurableObject(object())
      clock.advance(denied.retryAfterMs)
      expect(await limiter.check("a")).toMatchObject({ allowed: true })
      expect(await object().verify()).toMatchObject({ replayEqualsLive: true })
    },
  )

  test("keeps a reset, and its counts since", async () => {
    const { limiter, object } = clockedLimiter("20/day")
    await limiter.check("a", { cost: 20 })
    expect(await limiter.reset("a")).toBe(true)
    await limiter.check("a", { cost: 3 })
    await evictDurableObject(object())
    expect(await limiter.status("a")).toMatchObject({ remaining: 17 })
  })

  test("reads a snapshot and the segments after it", async () => {
    const { changePolicy, limiter, object } = longPolicies()
    for (let change = 0; change < 100; change++) await changePolicy()
    const rows = (await rowsOf(object()))!
    expect(rows.filter(({ id }) => id < 0)).toHaveLength(1)
    expect(rows.filter(({ id }) => id > 0).length).toBeGreaterThan(1)
    await evictDurableObject(object())
    expect(await limiter.status("a")).toMatchObject({ remaining: 900 })
    expect(await limiter.stats("a")).toMatchObject({ totalAllowed: 100 })
    expect(await object().verify()).toMatchObject({ replayEqualsLive: true })
  })

  test("gives receipts that no receipt of before is equal to", async () => {
    const { limiter, object } = clockedLimiter("20/day")
    const first = await limiter.check("a")
    await evictDurableObject(object())
    const second = await limiter.check("a")
    expect(second.receipt!.id).not.toBe(first.receipt!.id)
    await limiter.refund(first.receipt!)
    await limiter.refund(second.receipt!)
    expect(await limiter.status("a")).toMatchObject({ remaining: 20 })
  })
})

describe("LimiterObject that is aborted", () => {
  test("between a write and its commit has lost the write, which nobody was told of", async () => {
    const { limiter, object } = clockedLimiter("20/day")
    await limiter.check("a", { cost: 3 })
    const text = subjectTextOf(limiter.policy.canonical)
    let written = 0
    const aborted = runInDurableObject(object(), async (instance, state) => {
      // Resolved in the turn that wrote, so the commit is still to come.
      await instance.decide("a", text, 5)
      written = state.storage.sql.exec("SELECT id FROM sluice_log").toArray().length
      state.abort("between write and commit")
    })
    await expect(aborted).rejects.toThrow("between write and commit")
    expect(written).toBe(2)
    expect(await limiter.status("a")).toMatchObject({ remaining: 17 })
    expect(await limiter.check("a", { cost: 17 })).toMatchObject({ allowed: true, remaining: 0 })
  })

  test("before the first commit ever has left nothing", async () => {
    const { limiter, object } = clockedLimiter("20/day")
    const text = subjectTextOf(limiter.policy.canonical)
    const aborted = runInDurableObject(object(), (instance, state) => {
      void Promise.resolve(instance.decide("a", text, 5)).catch(() => undefined)
      state.abort("before the first commit")
    })
    await expect(aborted).rejects.toThrow("before the first commit")
    expect(await rowsOf(object())).toBeNull()
    expect(await limiter.check("a")).toMatchObject({ allowed: true, remaining: 19 })
  })

  test("under load has lost nothing that was acknowledged, and admits no more than the limit", async () => {
    const { limiter, object } = realLimiter("120/day fixed_window")
    let acknowledged = 0
    let sent = 0
    for (let round = 0; round < 8; round++) {
      const checks = Array.from({ length: 20 }, async (_, index) => {
        sent += 1
        const { allowed } = await limiter.check("a")
        if (allowed) acknowledged += 1
        if (index === round * 2) await runInDurableObject(object(), (_object, state) => state.abort("under load"))
      })
      await Promise.allSettled(checks)
      const used = 120 - (await limiter.status("a")).remaining
      expect(used).toBeGreaterThanOrEqual(acknowledged)
      expect(used).toBeLessThanOrEqual(Math.min(sent, 120))
      expect(await object().verify()).toMatchObject({ replayEqualsLive: true })
    }
    expect(acknowledged).toBeGreaterThan(0)
    expect(acknowledged).toBeLessThanOrEqual(120)
  })
})
