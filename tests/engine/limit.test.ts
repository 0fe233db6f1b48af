import { describe, expect, test } from "vitest"
import { Core } from "../../src/engine/core.js"
import { SAVED } from "../../src/engine/saved-cells.js"
import { START_MS } from "../start-ms.js"
import { makeLimit } from "./make-limit.js"
import { Random, SEED } from "./random.js"
import { takeAll } from "./take-all.js"

describe("Limit", () => {
  test("stats() tell a time of 0 as 0, not as never", () => {
    const limit = makeLimit("2/second", { stats: true })
    limit.check("a", 1, 0)
    expect(limit.stats("a").lastAllowedAt).toBe(0)
    limit.check("a", 2, 0)
    expect(limit.stats("a").lastDeniedAt).toBe(0)
    limit.reset("a", 0)
    expect(limit.stats("a").lastResetAt).toBe(0)
  })

  test("check() of a key for which there is no room still tells each rule of a policy with several", () => {
    const limit = makeLimit("2/second; 10/minute", { maxKeys: 1, onFull: "deny-new" })
    limit.check("a", 1, START_MS)
    const decision = limit.check("b", 1, START_MS)
    expect(decision.allowed).toBe(false)
    expect(decision.rules?.map((rule) => rule.policy)).toEqual(["2-per-1s", "10-per-1m"])
  })

  test("peek() of a key for which there is no room says what check() would", () => {
    const limit = makeLimit("2/second", { maxKeys: 1, onFull: "deny-new" })
    limit.check("a", 1, START_MS)
    expect(limit.peek("b", 1, START_MS).allowed).toBe(limit.check("b", 1, START_MS).allowed)
  })

  test("check() of a held key tells the period where a charge finds no memory, whatever was refused before", () => {
    const core = new Core()
    const other = makeLimit("10/second; 1000/day", { maxKeys: 1, onFull: "deny-new" }, core)
    const limit = makeLimit("1000/minute sliding_window_log", { maxKeys: 9, onFull: "deny-new" }, core)
    for (const each of [other, limit]) each.check("a", 1, START_MS)
    takeAll(core)
    expect(other.check("b", 1, START_MS)).toMatchObject({ policy: "1000-per-1d", retryAfterMs: 86_400 })
    let held = limit.check("a", 1, START_MS)
    for (let charge = 1; charge < 900 && held.allowed; charge++) held = limit.check("a", 1, START_MS + charge)
    expect(held).toMatchObject({ allowed: false, policy: "default", retryAfterMs: 60_000 })
  })

  test("load() refuses bytes that are no cell, and harms nothing", () => {
    const core = new Core()
    const limit = makeLimit("10/hour", { stats: true }, core)
    limit.check("a", 3, START_MS)
    for (const kind of Object.values(SAVED)) {
      for (const length of [0, 1, 7, 8, 23, 65, 1_000]) {
        expect(limit.load(kind, new Uint8Array(length)), `${length} bytes`).toBe(false)
      }
    }
    expect(limit.peek("a", 0, START_MS).remaining).toBe(7)
    limit.free()
    expect(core.exports.allocatedBytes()).toBe(0)
  })

  test(`load() of any bytes leaves a limit that answers and can be freed (SLUICE_ENGINE_SEED=${SEED})`, () => {
    const random = new Random(SEED)
    const core = new Core()
    const limit = makeLimit(["10/hour sliding_window_log", "20/hour", "9/hour sliding_window"], { stats: true }, core)
    for (let i = 0; i < 200; i++) limit.check(`key ${i % 50}`, 1, START_MS + i)
    const kinds = Object.values(SAVED)
    const saved = kinds.map((kind) => limit.save(kind, START_MS + 200))
    let loaded = 0
    for (let i = 0; i < 5_000; i++) {
      const kind = random.pick(kinds)
      const cells = saved[kind]!
      const cell =
        cells.length > 0 && random.below(2) === 0 ? random.pick(cells).slice() : new Uint8Array(1 + random.below(200))
      for (let changes = random.below(12); changes > 0; changes--) cell[random.below(cell.length)] = random.below(256)
      // Another hash, so that the key is not there yet.
      for (let at = 0; at < Math.min(8, cell.length); at++) cell[at] = random.below(256)
      if (limit.load(kind, cell)) loaded++
    }
    expect(loaded).toBeGreaterThan(100)
    for (const nowMs of [0, START_MS, START_MS + 10_000_000_000, 2 ** 47 - 1]) {
      limit.sweep(nowMs, 10_000)
      limit.fullAfterMs(nowMs)
      for (const kind of kinds) limit.save(kind, nowMs)
    }
    expect(limit.check("a new key", 1, START_MS).allowed).toBe(true)
    limit.free()
    expect(core.exports.allocatedBytes()).toBe(0)
  })

  test("chargeNumberOf() finds the number of a charge only in a receipt of this limit", () => {
    const limit = makeLimit("100/hour", { issuerId: "me" })
    const ids = Array.from({ length: 40 }, () => limit.check("a", 1, START_MS).receipt!.id)
    expect(new Set(ids).size).toBe(40)
    expect(ids.map((id) => limit.chargeNumberOf(id))).toEqual(Array.from({ length: 40 }, (_, i) => i + 1))
    for (const id of ["", "me", "me-", "me-0", "me-15", "me-01", "me-1 ", "you-1", "me--1", "me-1.0", "ME-1"]) {
      expect(limit.chargeNumberOf(id), id).toBeNull()
    }
  })

  test("change() to a policy that the core refuses leaves the old one in place", () => {
    const limit = makeLimit("10/hour")
    limit.check("a", 4, START_MS)
    expect(() => limit.change(makeLimit("5/hour").policy, Number.NaN)).toThrow(RangeError)
    expect(limit.policy.rules[0].limit).toBe(10)
    expect(limit.check("a", 1, START_MS).remaining).toBe(5)
  })
})
