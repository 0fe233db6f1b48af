import { describe, expect, test } from "vitest"
import { Core } from "../../src/engine/core.js"
import { randomSeed, type Seed } from "../../src/engine/seed.js"
import { START_MS } from "../start-ms.js"
import { type MadeLimit, makeLimit, makeStandaloneLimit } from "./make-limit.js"

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
  readonly #limit: MadeLimit

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

const MASK = (1n << 64n) - 1n

/** One step of SplitMix64, which fills the hash's schedule from the seed. */
function splitMix(state: bigint): bigint {
  let z = state
  z = ((z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n) & MASK
  z = ((z ^ (z >> 27n)) * 0x94d049bb133111ebn) & MASK
  return z ^ (z >> 31n)
}

/** The first words of 32 bits of a seed's schedule. */
function scheduleWords(seed: Seed): number[] {
  const low = (BigInt(seed[1]) << 32n) | BigInt(seed[0])
  const high = (BigInt(seed[3]) << 32n) | BigInt(seed[2])
  const words: number[] = []
  for (let i = 1n; i <= 4n; i++) {
    const value = splitMix(splitMix((low + i * (high | 1n)) & MASK) ^ high)
    words.push(Number(value & 0xffffffffn), Number(value >> 32n))
  }
  return words
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

  test.each([
    { collides: "first", word: 2 },
    { collides: "second", word: 6 },
  ])("keeps keys apart that were made to collide in the $collides of its two passes", ({ word }) => {
    // Each pass multiplies (word 0 + its key) by (word 2 + its key): where that is 0, word 0 does not matter any more.
    // The second pass has the first one's keys from four words later on.
    const seed: Seed = [0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a]
    const count = 10_000
    const words = new Uint32Array(4 * count)
    const annihilating = -scheduleWords(seed)[word]!
    for (let i = 0; i < count; i++) words.set([i, 0, annihilating, 0], 4 * i)
    const ends = Uint32Array.from({ length: count }, (_, i) => 16 * (i + 1))
    const limit = makeStandaloneLimit("1/hour", { seed })
    limit.checkPacked(new Uint8Array(words.buffer), ends, undefined, START_MS)
    expect(limit.size).toBe(count)
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
