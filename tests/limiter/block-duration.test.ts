import { describe, expect, test } from "vitest"
import { MemoryLimits } from "../../src/limiter/memory-limits.js"
import { RateLimiter } from "../../src/limiter/rate-limiter.js"
import { ManualClock } from "../../src/types/clock.js"

const IN_RANGE = 'a whole number of ms, or a text such as "10s" or "15m", from 1 ms to 315360000000 ms'

describe("block() with a duration that cannot be", () => {
  test.each([
    ["30", '"30"', 'a text with its unit, such as "30ms" or "30s"'],
    ["1.5s", '"1.5s"', 'a whole number, as in "1500ms" for "1.5s"'],
    ["soon", '"soon"', IN_RANGE],
    [0, "0", IN_RANGE],
    [Number.NaN, "NaN", IN_RANGE],
    [undefined, "undefined", IN_RANGE],
  ])("%j: a RangeError tells the duration and what is allowed, and nothing is blocked", (duration, shown, allowed) => {
    const clock = new ManualClock(0)
    const message = `Cannot block: duration is ${shown}, allowed is ${allowed}.`
    for (const limiter of [
      new RateLimiter("2/minute", { clock }),
      new MemoryLimits({ clock, limits: { default: "2/minute" } }),
    ]) {
      const error = errorOf(() => limiter.block("ada", duration as never))
      expect(error).toBeInstanceOf(RangeError)
      expect(error.message).toBe(message)
      expect(limiter.check("ada").allowed).toBe(true)
    }
  })
})

function errorOf(call: () => unknown): Error {
  try {
    call()
  } catch (error) {
    return error as Error
  }
  throw new Error("Nothing was thrown.")
}
