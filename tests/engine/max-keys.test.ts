import { describe, expect, test } from "vitest"
import { START_MS } from "../start-ms.js"
import { makeLimit, makeStandaloneLimit } from "./make-limit.js"
import { Random, SEED } from "./random.js"

const BOUNDS = [1, 2, 13, 14, 15, 100, 1_000, 5_000]

describe(`maxKeys (SLUICE_ENGINE_SEED=${SEED})`, () => {
  test.each(BOUNDS)("is never exceeded under random keys: %d keys, evict-nearest-full", (maxKeys) => {
    const random = new Random(SEED + maxKeys)
    const limit = makeLimit("10/second burst 4", { maxKeys })
    let nowMs = START_MS
    for (let i = 0; i < 20_000; i++) {
      if (random.below(50) === 0) nowMs += random.below(30)
      const key = `key ${random.below(maxKeys * 3 + 5)}`
      const before = limit.peek(key, 1, nowMs)
      const after = limit.check(key, 1, nowMs)
      // With eviction there is room for every key: the quota alone decides.
      if (after.allowed !== before.allowed) throw new Error(`Call ${i}: the check differs from the peek before it.`)
      if (after.allowed && limit.peek(key, 0, nowMs).remaining !== after.remaining) {
        throw new Error(`Call ${i}: the key that was charged is not held.`)
      }
      if (limit.size > maxKeys) throw new Error(`Call ${i}: ${limit.size} keys are held.`)
    }
    expect(limit.size).toBeGreaterThan(0)
  })

  test.each(BOUNDS)("is never exceeded under random keys: %d keys, deny-new", (maxKeys) => {
    const random = new Random(SEED + maxKeys)
    // Keys take so long to become full that there are more of them than room.
    const policy = { limit: 10, period: 1_000 + maxKeys * 10, burst: 4 }
    const bounded = makeLimit(policy, { maxKeys, onFull: "deny-new" })
    const unbounded = makeLimit(policy)
    let nowMs = START_MS
    let refused = 0
    for (let i = 0; i < 20_000; i++) {
      if (random.below(50) === 0) nowMs += random.below(30)
      const key = `key ${random.below(maxKeys * 3 + 5)}`
      const held = bounded.peek(key, 0, nowMs)
      if (held.remaining !== unbounded.peek(key, 0, nowMs).remaining) {
        throw new Error(`Call ${i}: the key is not as without a bound.`)
      }
      const decision = bounded.check(key, 1, nowMs)
      if (decision.allowed) unbounded.check(key, 1, nowMs)
      else if (held.remaining > 0) {
        // Only a key that has used nothing may be refused.
        if (held.resetAfterMs !== 0) throw new Error(`Call ${i}: a held key was refused.`)
        refused++
      }
      if (bounded.size > maxKeys) throw new Error(`Call ${i}: ${bounded.size} keys are held.`)
    }
    expect(refused).toBeGreaterThan(0)
  })

  test.each([
    ["10/second; 1000/day", "1000-per-1d", 86_400],
    ["10/second burst 20; 1000/hour burst 10000", "1000-per-1h", 3_600],
    ["2/minute", "default", 30_000],
  ])("tells a key for which there is no room when there is some, and under which rule: %s", (text, policy, waitMs) => {
    const limit = makeStandaloneLimit(text, { maxKeys: 8, onFull: "deny-new" })
    for (let key = 0; key < 8; key++) limit.check(`held ${key}`, key === 3 ? 1 : 2, START_MS)
    const denied = { allowed: false, policy, remaining: 0, retryAfterMs: waitMs, resetAfterMs: waitMs }
    expect(limit.peek("new", 1, START_MS)).toMatchObject(denied)
    const { rules } = limit.check("new", 1, START_MS)
    expect(rules?.map(({ retryAfterMs }) => retryAfterMs) ?? []).toEqual(rules?.map(() => waitMs) ?? [])
    expect(limit.checkMany(["new"], undefined, START_MS).retryAfterMs[0]).toBe(waitMs)
    expect(limit.allow("new", 1, START_MS + waitMs - 1)).toBe(false)
    expect(limit.allow("new", 1, START_MS + waitMs)).toBe(true)
  })

  test.each([
    "60/minute burst 600",
    "9/minute fixed_window",
    "9/minute sliding_window; 50/hour",
    "9/s sliding_window_log",
  ])("never tells a key for which there is no room too long or too short a wait: %s", (policy) => {
    const random = new Random(SEED)
    for (const maxKeys of [1, 13, 100, 1_000]) {
      const limit = makeLimit(policy, { maxKeys, onFull: "deny-new", stats: true })
      for (let i = 0; i < maxKeys * 20; i++)
        limit.check(`key ${i}`, 1 + random.below(9), START_MS + random.below(1_000))
      const nowMs = START_MS + 1_000
      for (let i = 0; i < 20; i++) {
        const { allowed, retryAfterMs } = limit.peek(`new ${i}`, 1, nowMs)
        if (allowed) continue
        expect(limit.peek(`new ${i}`, 1, nowMs + retryAfterMs - 1)).toMatchObject({ allowed: false, retryAfterMs: 1 })
      }
      const { allowed, retryAfterMs } = limit.peek("last", 1, nowMs)
      if (!allowed) expect(limit.check("last", 1, nowMs + retryAfterMs).allowed).toBe(true)
      expect(limit.size).toBeLessThanOrEqual(maxKeys)
    }
  })

  test("holds for blocks too: a key above it is not blocked, and says so", () => {
    const limit = makeLimit("10/second", { maxKeys: 3 })
    for (const key of ["a", "b", "c"]) limit.block(key, START_MS + 1_000, START_MS)
    expect(() => limit.block("d", START_MS + 1_000, START_MS)).toThrow(RangeError)
    expect(() => limit.block("d", START_MS + 1_000, START_MS)).toThrow("maxKeys")
    expect(limit.check("d", 1, START_MS).allowed).toBe(true)
    limit.block("a", START_MS + 5_000, START_MS)
    // Blocks that have ended make room.
    limit.block("d", START_MS + 2_000, START_MS + 1_000)
    expect(limit.check("d", 1, START_MS + 1_000).reason).toBe("blocked")
    expect(limit.check("a", 1, START_MS + 1_000).reason).toBe("blocked")
  })

  test.each(["deny-new", "evict-nearest-full"] as const)(
    "is held no longer than a full refill by keys of a clock that had jumped: %s",
    (onFull) => {
      const limit = makeLimit("10/second", { maxKeys: 100, onFull })
      for (let key = 0; key < 100; key++) limit.check(`ahead ${key}`, 10, START_MS + 1_000_000_000)
      const isRoom = onFull === "evict-nearest-full"
      // Each new key heals the neighbours whose places it would take.
      for (let key = 0; key < 1_000; key++) expect(limit.allow(`new ${key}`, 1, START_MS)).toBe(isRoom)
      const laterMs = START_MS + 1_000
      const held = []
      for (let key = 0; key < 100; key++) if (limit.allow(`newer ${key}`, 1, laterMs)) held.push(`newer ${key}`)
      expect(held.filter((key) => limit.peek(key, 0, laterMs).remaining === 9).length).toBeGreaterThan(60)
    },
  )

  test("a blocked key for which there is no room is told of its block, by a peek as by a check", () => {
    const limit = makeLimit("1/second", { maxKeys: 1, onFull: "deny-new" })
    limit.check("a", 1, START_MS)
    limit.block("b", START_MS + 60_000, START_MS)
    const blocked = { allowed: false, reason: "blocked", retryAfterMs: 60_000 }
    expect(limit.peek("b", 1, START_MS)).toMatchObject(blocked)
    expect(limit.check("b", 1, START_MS)).toMatchObject(blocked)
    expect(limit.peek("c", 1, START_MS)).toMatchObject({ allowed: false, reason: "limit", retryAfterMs: 1_000 })
  })

  test("a denial of a key for which there is no room counts, and a peek does not", () => {
    const limit = makeLimit("5/second", { maxKeys: 1, onFull: "deny-new", stats: true })
    limit.check("a", 1, START_MS)
    expect(limit.peek("b", 2, START_MS).allowed).toBe(false)
    expect(limit.stats("b").totalDenied).toBe(0)
    expect(limit.check("b", 2, START_MS).allowed).toBe(false)
    expect(limit.stats("b")).toMatchObject({ totalDenied: 1, totalDeniedCost: 2, lastDeniedAt: START_MS })
  })

  test("a denial that finds no room for its block tells the wait without one", () => {
    const limit = makeLimit({ limit: 1, period: "1s", block: "10m" }, { maxKeys: 1 })
    limit.check("a", 1, START_MS)
    expect(limit.check("a", 1, START_MS)).toMatchObject({ reason: "limit", retryAfterMs: 600_000 })
    limit.check("b", 1, START_MS)
    expect(limit.check("b", 1, START_MS)).toMatchObject({ reason: "limit", retryAfterMs: 1_000 })
    expect(limit.check("b", 1, START_MS + 1_000).allowed).toBe(true)
  })

  test("holds for statistics: a new key takes the place of the one counted longest ago", () => {
    const limit = makeLimit("100/hour", { maxKeys: 12, stats: true })
    for (let i = 1; i <= 12; i++) limit.check(`key ${i}`, 1, START_MS + i)
    limit.check("key 1", 1, START_MS + 13)
    limit.reset("new", START_MS + 14)
    expect(limit.save(2, START_MS)).toHaveLength(12)
    expect(limit.stats("new").lastResetAt).toBe(START_MS + 14)
    expect(limit.stats("key 2").totalAllowed).toBe(0)
    expect(limit.stats("key 1").totalAllowed).toBe(2)
    for (let i = 0; i < 5_000; i++) limit.check(`other ${i}`, 1, START_MS + 20 + i)
    expect(limit.save(2, START_MS)).toHaveLength(12)
    expect(limit.stats("other 4999").totalAllowed).toBe(1)
  })

  test("lets saved cells in past it, and comes down to it as new keys come", () => {
    const from = makeLimit("100/hour")
    for (let i = 0; i < 100; i++) from.check(`key ${i}`, 10, START_MS)
    const cells = from.save(0, START_MS)
    const to = makeLimit("100/hour", { maxKeys: 80 })
    for (const cell of cells) expect(to.load(0, cell)).toBe(true)
    expect(to.size).toBe(100)
    for (let i = 0; i < 100; i++) expect(to.peek(`key ${i}`, 0, START_MS).remaining).toBe(90)
    for (let i = 0; i < 20; i++) to.check(`new ${i}`, 90, START_MS)
    expect(to.size).toBe(80)
    to.check("one more", 1, START_MS)
    expect(to.size).toBe(80)
    const denying = makeLimit("100/hour", { maxKeys: 80, onFull: "deny-new" })
    for (const cell of cells) denying.load(0, cell)
    expect(denying.allow("new", 1, START_MS)).toBe(false)
    expect(denying.allow("key 1", 1, START_MS)).toBe(true)
    expect(denying.size).toBe(100)
  })

  test("forgets the key that would be full soonest among its neighbours", () => {
    const limit = makeLimit("100/hour", { maxKeys: 12 })
    // In a table this small, all are neighbours.
    for (let i = 1; i <= 12; i++) limit.check(`key ${i}`, 2 * i, START_MS)
    for (let i = 1; i <= 12; i++) {
      limit.check(`new ${i}`, 90, START_MS)
      expect(limit.peek(`key ${i}`, 0, START_MS).remaining).toBe(100)
      for (let j = i + 1; j <= 12; j++) expect(limit.peek(`key ${j}`, 0, START_MS).remaining).toBe(100 - 2 * j)
    }
  })
})
