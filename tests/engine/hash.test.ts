import { describe, expect, test } from "vitest"
import { Core } from "../../src/engine/core.js"
import type { Limit } from "../../src/engine/limit.js"
import { randomSeed, type Seed } from "../../src/engine/seed.js"
import { makeLimit } from "./make-limit.js"

const START_MS = 1_700_000_000_000
const SEEDS: Readonly<Record<string, Seed>> = {
  "seed 0": [0, 0, 0, 0],
  "seed 1": [1, 0, 0, 0],
  "all ones": [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff],
  "a random seed": randomSeed(),
}

/** Keys that people make, which differ in little. */
function* structuredKeys(): Generator<string> {
  for (let i = 0; i < 300_000; i++) yield `user:${i}`
  for (let i = 0; i < 200_000; i++) yield `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`
  for (let i = 0; i < 150_000; i++) yield `2001:db8:${i.toString(16)}::/64`
  for (let i = 0; i < 100_000; i++) yield String.fromCharCode(i & 127, (i >> 7) & 127, (i >> 14) & 127)
  for (let i = 0; i < 100_000; i++) yield `tenant-${i % 317}/route-${i % 331}/${"x".repeat(i % 64)}${i}`
  for (let i = 0; i < 100_000; i++) yield `${i.toString(2).padStart(20, "0")}${"-".repeat(100)}`
  for (let i = 0; i < 50_000; i++) yield `${"-".repeat(480)}${i.toString(36).padStart(6, "0")}`
}

/** Reads hashes of keys: a saved cell starts with it. */
class HashReader {
  readonly #limit: Limit

  constructor(seed: Seed) {
    this.#limit = makeLimit("1/hour", { seed })
  }

  hash(key: string): bigint {
    this.#limit.check(key, 1, START_MS)
    const [cell] = this.#limit.save(0, START_MS)
    this.#limit.reset(key, START_MS)
    return new DataView(cell!.buffer).getBigUint64(0, true)
  }
}

function bitCount(value: bigint): number {
  let count = 0
  for (let rest = value; rest > 0n; rest &= rest - 1n) count++
  return count
}

describe("the hash of keys", () => {
  test.each(Object.entries(SEEDS))("keeps a million structured keys apart: %s", (_, seed) => {
    // Two keys of one hash would share a cell: the count of cells is the count of hashes.
    const limit = makeLimit("1/hour", { seed }, new Core())
    let keys = 0
    for (const key of structuredKeys()) {
      limit.allow(key, 1, START_MS)
      keys++
    }
    expect(keys).toBe(1_000_000)
    expect(limit.size).toBe(keys)
  })

  test.each(Object.entries(SEEDS))("changes half of its bits with any bit of the key: %s", (_, seed) => {
    const reader = new HashReader(seed)
    // 7-bit characters, so that each bit of a byte is one of the key; lengths on both sides of a block of 16 bytes.
    const keys = [
      "a",
      "key",
      "fifteen bytes..",
      "sixteen bytes...",
      "seventeen bytes..",
      "x".repeat(100),
      "\0".repeat(33),
    ]
    const changes = new Float64Array(64)
    let flips = 0
    let least = 64
    for (const key of keys) {
      const original = reader.hash(key)
      for (let at = 0; at < key.length; at++) {
        for (let bit = 0; bit < 7; bit++) {
          const code = key.charCodeAt(at) ^ (1 << bit)
          const changed = key.slice(0, at) + String.fromCharCode(code) + key.slice(at + 1)
          const difference = original ^ reader.hash(changed)
          for (let place = 0; place < 64; place++) changes[place]! += Number((difference >> BigInt(place)) & 1n)
          least = Math.min(least, bitCount(difference))
          flips++
        }
      }
    }
    expect(flips).toBe(7 * (1 + 3 + 15 + 16 + 17 + 100 + 33))
    // 1,288 flips: each bit of the hash changes with probability ½, so 0.5 ± 0.014; six deviations are 0.084.
    for (let place = 0; place < 64; place++) expect(Math.abs(changes[place]! / flips - 0.5)).toBeLessThan(0.084)
    // 64 fair bits: fewer than 12 differ with probability 10^−7 a time.
    expect(least).toBeGreaterThanOrEqual(10)
  })

  test("tells keys apart that differ in length only", () => {
    const reader = new HashReader(randomSeed())
    for (const byte of ["\0", "a", " "]) {
      const hashes = new Set<bigint>()
      for (let length = 1; length <= 512; length++) hashes.add(reader.hash(byte.repeat(length)))
      expect(hashes.size).toBe(512)
    }
  })

  test("of one key differs in half of its bits from seed to seed", () => {
    let bits = 0
    const seeds = 200
    for (let i = 0; i < seeds; i++) {
      const seed: Seed = [1, 2, 3, 4]
      const neighbour: Seed = [1 + (i + 1) * Number(i % 4 === 0), 2 + (i + 1) * Number(i % 4 === 1), 3, 4]
      const last: Seed = [1, 2, 3 + (i + 1) * Number(i % 4 === 2), 4 + (i + 1) * Number(i % 4 === 3)]
      const other = i % 4 < 2 ? neighbour : last
      bits += bitCount(new HashReader(seed).hash("user:1") ^ new HashReader(other).hash("user:1"))
    }
    // 12,800 fair bits: 32 ± 0.28 a seed.
    expect(Math.abs(bits / seeds - 32)).toBeLessThan(2)
  })

  test("spreads structured keys over a table as evenly as random ones", () => {
    const limit = makeLimit("1/hour", { seed: randomSeed() })
    for (let i = 0; i < 100_000; i++) limit.allow(`user:${i}`, 1, START_MS)
    const low = new Float64Array(256)
    const high = new Float64Array(256)
    for (const cell of limit.save(0, START_MS)) {
      low[cell[0]!]! += 1
      high[cell[7]!]! += 1
    }
    // χ² with 255 degrees of freedom: 255 ± 22.6; six deviations are 391.
    const expected = 100_000 / 256
    for (const counts of [low, high]) {
      const chiSquare = counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0)
      expect(chiSquare).toBeLessThan(391)
    }
  })
})
