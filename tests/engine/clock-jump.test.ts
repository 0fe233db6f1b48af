import { describe, expect, test } from "vitest"
import { START_MS } from "../start-ms.js"
import { makeLimit } from "./make-limit.js"

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

  test.each(["charge() of 0 units", "sweep()"])("%s heals the key, which is then full after one refill", (how) => {
    const limit = makeLimit("10/second; 20/minute sliding_window_log")
    limit.check("a", 10, START_MS + 1_000_000)
    if (how === "sweep()") expect(limit.sweep(START_MS, 1_000)).toBe(0)
    else limit.charge("a", 0, START_MS)
    expect(limit.peek("a", 1, START_MS + 100)).toMatchObject({ allowed: true, remaining: 1 })
    expect(limit.sweep(START_MS + 59_999, 1_000)).toBe(0)
    expect(limit.sweep(START_MS + 60_000, 1_000)).toBe(1)
  })
})

describe("a clock that swings", () => {
  /** Units that a key is admitted that is asked for as many as it gets, each time before the clock steps back. */
  function admitted(policy: string, stepMs: number): number {
    const limit = makeLimit(policy)
    let units = 0
    for (let turn = 0; turn < 100; turn++) {
      while (limit.check("a", 1, START_MS).allowed) units++
      limit.check("a", 1, START_MS - stepMs)
    }
    return units
  }

  test("gives a key at full use the time of each step back, at most a full quota", () => {
    expect(admitted("10/second", 0)).toBe(10)
    expect(admitted("10/second", 500)).toBe(10 + 99 * 5)
    expect(admitted("10/second", 86_400_000)).toBe(10 + 99 * 10)
    expect(admitted("1000/second", 1)).toBe(1_000 + 99)
    // A step that brings no unit back gives nothing more until there was a charge.
    expect(admitted("10/second", 1)).toBe(10)
  })
})
