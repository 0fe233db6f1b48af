import { expect, test } from "vitest"
import { perPolicy } from "../../src/http/per-policy.js"
import { parsePolicy } from "../../src/policy/parse-policy.js"
import { decisionOf, FakeLimiter } from "./fake-limiter.js"

test("perPolicy() keeps one limiter per policy, and forgets the one unused for longest beyond 256", () => {
  let made = 0
  const limiterOf = perPolicy(() => {
    made++
    return new FakeLimiter(() => decisionOf())
  })
  const limiters = Array.from({ length: 256 }, (_, index) => limiterOf(parsePolicy(`${index + 1}/minute`)))
  expect(made).toBe(256)
  expect(limiterOf(parsePolicy({ limit: 1, period: "60s" }))).toBe(limiters[0])
  expect(made).toBe(256)

  limiterOf(parsePolicy("257/minute"))
  expect(limiterOf(parsePolicy("1/minute"))).toBe(limiters[0])
  expect(limiterOf(parsePolicy("3/minute"))).toBe(limiters[2])
  expect(made).toBe(257)
  expect(limiterOf(parsePolicy("2/minute"))).not.toBe(limiters[1])
})
