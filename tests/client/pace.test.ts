import { describe, expect, test } from "vitest"
import { Pace } from "../../src/client/pace.js"

test("Pace remembers 100 quotas of a server that makes up ever new ones, and forgets what it told of longest ago", () => {
  const pace = new Pace("burst")
  const tell = (name: string, remaining: number) => {
    const flight = pace.send(1, 0)
    const quotas = [{ name, remaining, resetAfterMs: 60_000, limit: null }]
    pace.hear(flight, { quotas, retryAfterMs: null }, 200, 0)
  }
  const tellOthers = (prefix: string) => {
    for (let index = 1; index < 100; index++) tell(`${prefix}${index}`, 1_000)
  }
  tell("used up", 0)
  tellOthers("a")
  expect(pace.waitMs(1, 0)).toBe(60_000)
  tell("used up", 0)
  tellOthers("b")
  expect(pace.waitMs(1, 0)).toBe(60_000)
  tell("one more", 1_000)
  expect(pace.waitMs(1, 0)).toBe(0)
})

describe("Pace", () => {
  const DAY_MS = 86_400_000
  const NEVER_MS = 999_999_999_999_999_000

  test.each(["burst", "even"] as const)('asks again after a day, whatever an answer told, at pacing "%s"', (pacing) => {
    const pace = new Pace(pacing)
    const usedUp = { name: "d", remaining: 0, resetAfterMs: NEVER_MS, limit: null }
    pace.hear(pace.send(1, 0), { quotas: [usedUp], retryAfterMs: NEVER_MS }, 429, 0)
    expect(pace.waitMs(1, 0)).toBe(DAY_MS)
    expect(pace.waitMs(1, DAY_MS)).toBe(0)
    const probe = pace.send(1, DAY_MS)
    expect(pace.waitMs(1, DAY_MS)).toBe(Number.POSITIVE_INFINITY)
    pace.hear(probe, { quotas: [{ ...usedUp, remaining: 5, resetAfterMs: 1_000 }], retryAfterMs: null }, 200, DAY_MS)
    expect(pace.waitMs(1, 2 * DAY_MS)).toBe(0)
  })

  /** How many requests of cost 1 go one after the other at a time, of which none is answered. */
  function countSent(pace: Pace, nowMs: number): number {
    let count = 0
    for (; pace.waitMs(1, nowMs) === 0 && count < 5_000; count++) pace.send(1, nowMs)
    return count
  }

  test.each([10, 1, 0])("sends %i of a thousand a day after that many were left of a month, or one", (remaining) => {
    const pace = new Pace("burst")
    const quotas = [{ name: "month", remaining, resetAfterMs: 30 * DAY_MS, limit: 1_000 }]
    pace.hear(pace.send(1, 0), { quotas, retryAfterMs: null }, 200, 0)
    expect(countSent(pace, DAY_MS)).toBe(Math.max(remaining, 1))
    expect(pace.waitMs(1, DAY_MS)).toBe(Number.POSITIVE_INFINITY)
  })

  test("sends the whole quota when the time at which it is full has come, though that is more than a day", () => {
    const pace = new Pace("burst")
    const quotas = [{ name: "month", remaining: 10, resetAfterMs: 30 * DAY_MS, limit: 1_000 }]
    pace.hear(pace.send(1, 0), { quotas, retryAfterMs: null }, 200, 0)
    expect(countSent(pace, 30 * DAY_MS)).toBe(1_000)
  })

  test("spreads what is left of a month evenly over the month, not over a day", () => {
    const pace = new Pace("even")
    const quotas = [{ name: "month", remaining: 31_000, resetAfterMs: 31 * DAY_MS, limit: 31_000 }]
    pace.hear(pace.send(1, 0), { quotas, retryAfterMs: null }, 200, 0)
    pace.send(1, 0)
    expect(pace.waitMs(1, 0)).toBe(DAY_MS / 1_000)
  })

  test.each([
    [200, 0],
    [202, 0],
    [301, 0],
    [413, 0],
    [429, 3_600_000],
    [503, 3_600_000],
  ])("after a %i with a Retry-After of an hour waits %i ms", (status, waitMs) => {
    const pace = new Pace("burst")
    pace.hear(pace.send(1, 0), { quotas: [], retryAfterMs: 3_600_000 }, status, 0)
    expect(pace.waitMs(1, 0)).toBe(waitMs)
  })
})
