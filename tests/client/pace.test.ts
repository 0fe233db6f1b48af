import { expect, test } from "vitest"
import { Pace } from "../../src/client/pace.js"

test("Pace remembers 100 quotas of a server that makes up ever new ones, and forgets what it told of longest ago", () => {
  const pace = new Pace("burst")
  const tell = (name: string, remaining: number) => {
    const flight = pace.send(1, 0)
    const quotas = [{ name, remaining, resetAfterMs: 60_000, limit: null }]
    pace.hear(flight, { quotas, retryAfterMs: null }, false, 0)
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
