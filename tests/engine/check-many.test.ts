import { describe, expect, test } from "vitest"
import { makeLimit } from "./make-limit.js"
import { Random, SEED } from "./random.js"

const START_MS = 1_700_000_000_000

describe("checkMany", () => {
  test("finds every key of a table that has grown, in whichever group it is", () => {
    const keys = Array.from({ length: 20_000 }, (_, index) => `session:${index}`)
    const limit = makeLimit("1/day")
    for (const key of keys) limit.allow(key, 1, START_MS)
    // Above the 256 that are looked for at a time.
    for (let from = 0; from < keys.length; from += 400) {
      const { allowed } = limit.checkMany(keys.slice(from, from + 400), undefined, START_MS)
      expect(allowed).not.toContain(1)
    }
    expect(limit.size).toBe(keys.length)
  })

  test(`says what checks one by one say, while keys come and go (SLUICE_ENGINE_SEED=${SEED})`, () => {
    const random = new Random(SEED)
    const [together, alone] = [makeLimit("3/minute"), makeLimit("3/minute")]
    let nowMs = START_MS
    for (let batch = 0; batch < 300; batch++) {
      nowMs += random.below(500)
      const keys = Array.from({ length: 1 + random.below(600) }, () => `key:${random.below(8_000)}`)
      const costs = random.below(2) === 0 ? undefined : keys.map(() => random.below(4))
      const { allowed, remaining, retryAfterMs, resetAfterMs } = together.checkMany(keys, costs, nowMs)
      const expected = keys.map((key, index) => alone.check(key, costs?.[index] ?? 1, nowMs))
      expect([...allowed]).toEqual(expected.map((decision) => Number(decision.allowed)))
      expect([...remaining]).toEqual(expected.map((decision) => decision.remaining))
      expect([...retryAfterMs]).toEqual(expected.map((decision) => decision.retryAfterMs))
      expect([...resetAfterMs]).toEqual(expected.map((decision) => decision.resetAfterMs))
      for (let index = 0; index < 100; index++) {
        const key = `key:${random.below(8_000)}`
        expect(together.reset(key, nowMs)).toBe(alone.reset(key, nowMs))
      }
    }
    expect(together.size).toBe(alone.size)
  })
})
