import { describe, expect, test } from "vitest"
import { Core } from "../../src/engine/core.js"
import { START_MS } from "../start-ms.js"
import { makeLimit, makeStandaloneLimit } from "./make-limit.js"
import { Random, SEED } from "./random.js"

const MAX_KEYS = 2_000

describe(`a flood of an attacker's keys (SLUICE_ENGINE_SEED=${SEED})`, { timeout: 60_000 }, () => {
  test.each(["evict-nearest-full", "deny-new"] as const)("takes no more memory than the bound allows: %s", (onFull) => {
    const random = new Random(SEED)
    const core = new Core()
    const limit = makeStandaloneLimit("10/hour burst 5", { maxKeys: MAX_KEYS, onFull }, core)
    for (let i = 0; i < 4 * MAX_KEYS; i++) limit.allow(`first ${i}`, 1, START_MS)
    const atBound = core.exports.allocatedBytes()
    for (let i = 0; i < 200_000; i++) {
      // Keys in order, at random, long and short, one by one and in batches.
      const key = random.pick([`${i}`, `${random.next()}`, `${"x".repeat(400)}${i}`, `ü${random.below(9_000)}`])
      if (i % 50 === 0) limit.checkMany([key, `${key}!`, `${key}?`], undefined, START_MS + i)
      else limit.allow(key, 1 + random.below(5), START_MS + i)
      if (limit.size > MAX_KEYS) throw new Error(`${limit.size} keys are held.`)
    }
    // A segment may be a chunk ahead of another one: a fifth is the most that the same number of keys can need more.
    expect(core.exports.allocatedBytes()).toBeLessThanOrEqual(atBound * 1.2)
    // 24 bytes a cell at two thirds of the load, and what any limit takes.
    expect(core.exports.allocatedBytes()).toBeLessThan(MAX_KEYS * 40 + 16_384)
  })

  test("does not free a key from its limit while the flood's keys are fuller than it is", () => {
    const random = new Random(SEED)
    const limit = makeLimit("10/hour", { maxKeys: MAX_KEYS })
    for (let i = 0; i < 10; i++) limit.check("hot", 1, START_MS)
    for (let i = 0; i < 300_000; i++) {
      // Each of these uses less than the hot key did, so its neighbours always have one that is forgotten before it.
      limit.allow(`flood ${random.next()}`, 1 + random.below(9), START_MS)
      if (i % 100 === 0 && limit.allow("hot", 1, START_MS)) throw new Error(`The hot key was free after ${i} keys.`)
    }
    expect(limit.size).toBe(MAX_KEYS)
    expect(limit.peek("hot", 0, START_MS).remaining).toBe(0)
  })

  test("frees a key only where the flood uses as much of every neighbour", () => {
    const random = new Random(SEED)
    let least = Number.POSITIVE_INFINITY
    for (let round = 0; round < 20; round++) {
      const limit = makeLimit("10/hour", { maxKeys: 500, seed: [round, random.next(), 3, 4] })
      limit.check("hot", 10, START_MS)
      let units = 0
      // What takes the hot key's whole quota of every key, the most that an attacker can do.
      for (let i = 0; i < 100_000 && limit.peek("hot", 0, START_MS).remaining === 0; i++) {
        limit.allow(`flood ${i}`, 10, START_MS)
        units += 10
      }
      least = Math.min(least, units)
    }
    // Until the table is full nobody is forgotten: 500 keys at 10 units each, less the hot one's.
    expect(least).toBeGreaterThanOrEqual(4_990)
  })

  test("does not touch the keys that are held under deny-new", () => {
    const limit = makeLimit("10/hour", { maxKeys: 100, onFull: "deny-new" })
    for (let i = 0; i < 100; i++) limit.check(`held ${i}`, 1 + (i % 10), START_MS)
    for (let i = 0; i < 50_000; i++) expect(limit.allow(`flood ${i}`, 1, START_MS)).toBe(false)
    for (let i = 0; i < 100; i++) expect(limit.peek(`held ${i}`, 0, START_MS).remaining).toBe(9 - (i % 10))
  })
})
