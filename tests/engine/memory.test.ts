import { describe, expect, test } from "vitest"
import { Core } from "../../src/engine/core.js"
import { SAVED } from "../../src/engine/saved-cells.js"
import type { PolicyInput } from "../../src/policy/policy.js"
import { START_MS } from "../start-ms.js"
import { makeLimit, makeStandaloneLimit } from "./make-limit.js"
import { takeAll } from "./take-all.js"

/** Sends `keys` keys one after the other, `perMs` in each millisecond, and tells the memory on the way. */
function stream(core: Core, policy: PolicyInput, keys: number, perMs: number): { atStart: number; atEnd: number } {
  const limit = makeLimit(policy, {}, core)
  let atStart = 0
  for (let i = 0; i < keys; i++) {
    limit.allow(`session:${i}`, 1, START_MS + Math.floor(i / perMs))
    if (i === Math.floor(keys / 10)) atStart = core.exports.allocatedBytes()
  }
  return { atStart, atEnd: core.exports.allocatedBytes() }
}

describe("memory", () => {
  test("stays flat while a million short-lived keys come and go", () => {
    // Each key is full again after 10 ms, so some 1,000 are in use at a time.
    const core = new Core()
    const { atStart, atEnd } = stream(core, "100/second", 1_000_000, 100)
    expect(atEnd).toBeLessThanOrEqual(atStart)
    // 24 bytes a cell, tables at least half full of cells in use or not yet swept.
    expect(atEnd).toBeLessThan(200_000)
    expect(core.exports.memory.buffer.byteLength).toBeLessThan(4 * 2 ** 20)
  })

  test("of statistics is 77 to 97 bytes a key on top, as the documentation says, once segments split", () => {
    const bytesAKey = (stats: boolean, keys: number) => {
      const core = new Core()
      const limit = makeLimit("100/minute", { stats }, core)
      for (let i = 0; i < keys; i++) limit.allow(`session:${i}`, 1, START_MS)
      return core.exports.allocatedBytes() / keys
    }
    for (const keys of [50_000, 65_000, 80_000]) {
      const without = bytesAKey(false, keys)
      expect(without).toBeGreaterThan(30)
      expect(without).toBeLessThan(38.5)
      const more = bytesAKey(true, keys) - without
      expect(more).toBeGreaterThan(77)
      expect(more).toBeLessThan(97.5)
    }
  })

  test("stays flat with logs, whose rings go with their keys", () => {
    const core = new Core()
    const { atStart, atEnd } = stream(core, "3/10ms sliding_window_log", 200_000, 100)
    expect(atEnd).toBeLessThanOrEqual(atStart * 1.2)
    expect(atEnd).toBeLessThan(1_000_000)
  })

  test("stays flat while one key has charges for ever", () => {
    const core = new Core()
    const limit = makeLimit("1000/second sliding_window_log", {}, core)
    let most = 0
    for (let i = 0; i < 200_000; i++) {
      limit.allow("a", 1, START_MS + i)
      if (i === 5_000) most = core.exports.allocatedBytes()
    }
    expect(core.exports.allocatedBytes()).toBeLessThanOrEqual(most)
    expect(limit.peek("a", 0, START_MS + 199_999).remaining).toBe(0)
  })

  test("a key costs at most 36 bytes in a table of 500,000, as its cell of 24 at a load of two thirds", () => {
    const core = new Core()
    const limit = makeLimit("10/hour", {}, core)
    for (let i = 0; i < 500_000; i++) limit.allow(`session:${i}`, 1, START_MS)
    expect(limit.size).toBe(500_000)
    expect(core.exports.allocatedBytes() / 500_000).toBeLessThan(36)
  })

  test("of a table that a sweep finds empty is given back, that of one group aside", () => {
    const core = new Core()
    const limit = makeLimit("10/second", {}, core)
    const sweepAll = () => {
      while (limit.sweep(START_MS + 1_000, 2 ** 31) > 0);
      return core.exports.allocatedBytes()
    }
    const without = core.exports.allocatedBytes()
    for (let i = 0; i < 20_000; i++) limit.allow(`session:${i}`, 1, START_MS)
    limit.block("session:0", START_MS + 1, START_MS)
    expect(core.exports.allocatedBytes()).toBeGreaterThan(600_000)
    const blocksTable = 256
    expect(sweepAll()).toBeLessThanOrEqual(without + blocksTable)
    expect(limit.size).toBe(0)
    for (let i = 0; i < 4; i++) limit.allow(`session:${i}`, 1, START_MS + 1_000)
    const small = core.exports.allocatedBytes()
    limit.sweep(START_MS + 2_000, 1_000)
    expect([limit.size, core.exports.allocatedBytes()]).toEqual([0, small])
    for (let i = 0; i < 20_000; i++) limit.allow(`session:${i}`, 1, START_MS + 2_000)
    expect(limit.size).toBe(20_000)
    limit.free()
    expect(core.exports.allocatedBytes()).toBe(0)
  })

  test("pointers above 2 GB are as good as others", () => {
    const core = new Core()
    // Not touched, so it takes addresses only.
    expect(core.exports.memoryTake(2 ** 31) >>> 0).toBeGreaterThan(0)
    const limit = makeLimit("100/hour sliding_window_log", { stats: true }, core)
    expect(core.withMemoryBlock(64, (pointer) => pointer)).toBeGreaterThan(2 ** 31)
    for (let i = 0; i < 1_000; i++) limit.check(`key ${i % 100}`, 1, START_MS + i)
    expect(limit.peek("key 1", 0, START_MS + 1_000).remaining).toBe(90)
    expect(limit.stats("key 1").totalAllowed).toBe(10)
    expect(limit.check("key 1", 90, START_MS + 1_000).remaining).toBe(0)
    expect(limit.check("key 2", 91, START_MS + 1_000)).toMatchObject({ allowed: false, remaining: 90 })
    expect(limit.check("new", 1, START_MS + 1_000).remaining).toBe(99)
    const asked = makeStandaloneLimit("100/hour sliding_window_log", { stats: true }, core)
    const { allowed, remaining } = asked.checkMany(["key 1", "key 1", "new"], [90, 11, 1], START_MS + 1_000)
    expect([...allowed]).toEqual([1, 0, 1])
    expect([...remaining]).toEqual([10, 10, 99])
    const copy = makeLimit("100/hour sliding_window_log", { stats: true }, core)
    for (const kind of [0, 2] as const) {
      const cells = limit.save(kind, START_MS + 1_000)
      expect(cells).toHaveLength(101)
      for (const cell of cells) expect(copy.load(kind, cell)).toBe(true)
    }
    expect(copy.peek("key 1", 0, START_MS + 1_000).remaining).toBe(0)
    expect(copy.stats("key 1").totalAllowed).toBe(11)
  })

  test("a limit whose first key found no memory takes it when there is some again", () => {
    const core = new Core()
    const limit = makeLimit("10/hour", {}, core)
    // Its table's first segment, the cells of it, and the directory.
    const spare = [64, 128, 64].map((bytes) => ({ bytes, block: core.exports.memoryTake(bytes) }))
    takeAll(core)
    for (const { bytes, block } of spare) {
      const before = core.exports.allocatedBytes()
      expect(limit.check("a", 1, START_MS)).toMatchObject({ allowed: false, reason: "limit" })
      expect(limit.size).toBe(0)
      expect(core.exports.allocatedBytes()).toBe(before)
      core.exports.memoryGive(block, bytes)
    }
    expect(limit.check("a", 1, START_MS)).toMatchObject({ allowed: true, remaining: 9 })
    expect(limit.check("a", 10, START_MS).allowed).toBe(false)
  })

  test("a limit for which there is no memory gives back the parts of it that were made", () => {
    const core = new Core()
    // From the smallest on, so that each is what the next part of the limit lacks.
    const spare = Array.from({ length: 64 }, (_, index) => {
      const bytes = 64 * (index + 1)
      return { bytes, blocks: [core.exports.memoryTake(bytes), core.exports.memoryTake(bytes)] }
    })
    takeAll(core)
    let refused = 0
    for (const { bytes, blocks } of spare) {
      for (const block of blocks) core.exports.memoryGive(block, bytes)
      const before = core.exports.allocatedBytes()
      try {
        makeLimit("10/hour", {}, core).free()
      } catch {
        refused += 1
      }
      expect(core.exports.allocatedBytes()).toBe(before)
    }
    expect(refused).toBeGreaterThan(1)
    expect(refused).toBeLessThan(spare.length)
  })

  test("a key for which there is no memory leaves none behind that was taken for it", () => {
    const core = new Core()
    const limit = makeLimit("10/hour", {}, core)
    const chunk = 4_096
    const spare = Array.from({ length: 60 }, () => core.exports.memoryTake(chunk))
    const small = [64, 128, 256, 512, 1_024, 2_048].map((bytes) => ({ bytes, block: core.exports.memoryTake(bytes) }))
    takeAll(core)
    let keys = 0
    let denied = 0
    const fill = () => {
      for (let before = core.exports.allocatedBytes(); ; before = core.exports.allocatedBytes()) {
        if (limit.check(`key ${keys}`, 1, START_MS).allowed) keys += 1
        else {
          denied += 1
          expect(core.exports.allocatedBytes()).toBe(before)
          return
        }
      }
    }
    fill()
    for (const { bytes, block } of small) {
      core.exports.memoryGive(block, bytes)
      fill()
    }
    for (const block of spare) {
      core.exports.memoryGive(block, chunk)
      fill()
    }
    expect(denied).toBe(1 + small.length + spare.length)
    // More than a segment holds, so that one was split.
    expect(keys).toBeGreaterThan(1_088)
    expect(limit.size).toBe(keys)
  })

  test("a new key takes the place of an idle one where there is no memory for a larger table", () => {
    const core = new Core()
    const limit = makeLimit("10/hour", {}, core)
    limit.check("soon idle", 1, START_MS)
    // In a table of 8 cells one idle cell is so few that the table would rather grow.
    for (let i = 0; i < 5; i++) limit.check(`key ${i}`, 10, START_MS)
    takeAll(core)
    let keys = 5
    while (limit.check(`key ${keys}`, 10, START_MS).allowed) keys += 1
    const held = limit.size
    expect(held).toBe(keys + 1)
    const laterMs = START_MS + 360_000
    expect(limit.check("new", 5, laterMs)).toMatchObject({ allowed: true, remaining: 5 })
    expect(limit.peek("new", 0, laterMs).remaining).toBe(5)
    expect(limit.check("newer", 1, laterMs)).toMatchObject({ allowed: false, reason: "limit" })
    expect(limit.size).toBe(held)
  })

  test("cells cannot be saved where there is no memory for them", () => {
    const core = new Core()
    const limit = makeLimit("10/hour", {}, core)
    limit.check("a", 1, START_MS)
    takeAll(core)
    expect(() => limit.save(SAVED.cells, START_MS)).toThrow("Cannot take 4096 bytes: the core's memory is full.")
  })

  test("a ring shrinks when the charges in its window become few", () => {
    const core = new Core()
    const limit = makeLimit("100000/second sliding_window_log", {}, core)
    for (let i = 0; i < 10_000; i++) limit.check("a", 1, START_MS + (i % 1_000))
    for (let i = 0; i < 900; i++) limit.check("a", 1, START_MS + 1_000 + i)
    const full = core.exports.allocatedBytes()
    for (let i = 0; i < 100; i++) limit.check("a", 1, START_MS + 10_000 + i * 900)
    expect(core.exports.allocatedBytes()).toBeLessThan(full / 4)
  })

  test("a limit whose policy cannot be changed holds no more than before", () => {
    const core = new Core()
    const limit = makeLimit("10/hour", {}, core)
    limit.check("a", 1, START_MS)
    const before = core.exports.allocatedBytes()
    expect(() => limit.change(makeLimit("5/minute sliding_window_log").policy, -1)).toThrow(RangeError)
    expect(core.exports.allocatedBytes()).toBe(before)
  })

  test("a log that was refused a place for a charge is saved and put back", () => {
    const core = new Core()
    const { memoryTake, memoryGive } = core.exports
    const policy = ["100/second sliding_window_log", "100/hour sliding_window_log"]
    const limit = makeLimit(policy, {}, core)
    for (let second = 0; second < 4; second++) limit.check("a", 1, START_MS + second * 1_000)
    // The shorter window is empty by then and has no ring; that of the longer one is full.
    const nowMs = START_MS + 3_000
    limit.refund("a", 1, nowMs, nowMs)
    const [ring, forSaving] = [memoryTake(128), memoryTake(4_096)]
    takeAll(core)
    memoryGive(ring, 128)
    const before = limit.status("a", nowMs)
    expect(limit.check("a", 1, nowMs + 1).allowed).toBe(false)
    memoryGive(forSaving, 4_096)
    const copy = makeLimit(policy)
    for (const cell of limit.save(SAVED.cells, nowMs)) expect(copy.load(SAVED.cells, cell)).toBe(true)
    expect(copy.size).toBe(1)
    expect(copy.status("a", nowMs)).toEqual(before)
  })

  test("a limit gives back what it held when it is freed, and when its policy changes", () => {
    const core = new Core()
    const before = core.exports.allocatedBytes()
    const limit = makeLimit(["10/hour sliding_window_log", "20/hour"], { stats: true }, core)
    for (let i = 0; i < 20_000; i++) limit.allow(`key ${i % 1_000}`, 1, START_MS + i)
    limit.change(makeLimit("5/minute").policy, START_MS + 20_000)
    expect(limit.size).toBe(1_000)
    limit.free()
    limit.free()
    expect(core.exports.allocatedBytes()).toBe(before)
  })
})
