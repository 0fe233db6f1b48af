import { describe, expect, test } from "vitest"
import { makeLimit } from "./make-limit.js"

const START_MS = 1_700_000_000_000

describe("a clock that is set back by more than a full refill", () => {
  test("check() heals the key, and its wait is the smallest", () => {
    const limit = makeLimit("10/second")
    limit.check("a", 10, START_MS + 1_000_000)
    expect(limit.check("a", 1, START_MS)).toMatchObject({ allowed: false, retryAfterMs: 100 })
    expect(limit.peek("a", 1, START_MS + 99)).toMatchObject({ allowed: false, retryAfterMs: 1 })
    expect(limit.check("a", 1, START_MS + 100).allowed).toBe(true)
  })

  test("peek() says what that check would, and its wait begins with one", () => {
    const limit = makeLimit("10/second")
    limit.check("a", 10, START_MS + 1_000_000)
    expect(limit.peek("a", 1, START_MS)).toMatchObject({ allowed: false, retryAfterMs: 100 })
    // It stored nothing: the key's time is still the later one.
    expect(limit.peek("a", 1, START_MS + 100)).toMatchObject({ allowed: false, retryAfterMs: 100 })
    expect(limit.check("a", 1, START_MS + 100)).toMatchObject({ allowed: false, retryAfterMs: 100 })
    expect(limit.check("a", 1, START_MS + 200).allowed).toBe(true)
  })
})
