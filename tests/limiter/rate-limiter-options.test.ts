import { describe, expect, expectTypeOf, test } from "vitest"
import { RateLimiter, type RateLimiterOptions } from "../../src/index.js"
import { MemoryLimits, type MemoryLimitsOptions } from "../../src/limiter/index.js"

describe("new RateLimiter()", () => {
  test.each<[string, unknown]>([
    ["maxKeys is 0, allowed is a whole number from 1 to 4294967295", { maxKeys: 0 }],
    ["maxKeys", { maxKeys: "9" }],
    ["onFull", { onFull: "drop" }],
    ["stats", { stats: "yes" }],
    ["clock", { clock: {} }],
    ["clock", { clock: null }],
    ["maxWaiting", { maxWaiting: 2 ** 32 }],
    [
      'option is "maxkeys", allowed is clock, maxKeys, onFull, stats, maxWaiting (did you mean "maxKeys"?)',
      { maxkeys: 9 },
    ],
    ['option is "nonsense"', { nonsense: undefined }],
    ["options is null", null],
    ['options is "9"', "9"],
  ])("refuses a %s", (field, options) => {
    expect(() => new RateLimiter("1/second", options as RateLimiterOptions)).toThrow(RangeError)
    expect(() => new RateLimiter("1/second", options as RateLimiterOptions)).toThrow(field)
  })

  test.each([RateLimiter.bind(null, "1/second"), MemoryLimits])("types no onFull that it refuses", (Limiter) => {
    type OnFull = "evict-nearest-full" | "deny-new" | undefined
    expectTypeOf<RateLimiterOptions["onFull"]>().toEqualTypeOf<OnFull>()
    expectTypeOf<MemoryLimitsOptions["onFull"]>().toEqualTypeOf<OnFull>()
    expect(() => new Limiter({ onFull: "keep-all" as never })).toThrow('onFull is "keep-all", allowed is')
  })

  test("takes an option that is undefined for one that is not there", () => {
    const options = { maxKeys: undefined, clock: undefined } as unknown as RateLimiterOptions
    expect(new RateLimiter("1/second", options).allow("a")).toBe(true)
  })
})
