import { expect, test } from "vitest"
import { identityOf, perPolicy } from "../../src/http/per-policy.js"
import { parsePolicy } from "../../src/policy/parse-policy.js"
import { decisionOf, FakeLimiter } from "./fake-limiter.js"

const policyOf = (limit: number) => parsePolicy(`${limit}/minute`)
const make = () => new FakeLimiter(() => decisionOf())

test("perPolicy() keeps one limiter per policy, and beyond 1,024 forgets those unused for longest", () => {
  const limiterOf = perPolicy(make)
  const limiters = Array.from({ length: 1_024 }, (_, index) => limiterOf(policyOf(index + 1)))
  expect(limiterOf(parsePolicy({ limit: 1, period: "60s" }))).toBe(limiters[0])
  expect(limiterOf(policyOf(2))).toBe(limiters[1])

  limiterOf(policyOf(1_025))
  expect(limiterOf(policyOf(1))).toBe(limiters[0])
  expect(limiterOf(policyOf(1_024))).toBe(limiters[1_023])
  expect(limiterOf(policyOf(3))).not.toBe(limiters[2])
})

test("perPolicy() never forgets the limiter of a policy that is known", () => {
  const limiterOf = perPolicy(make, new Set([identityOf(policyOf(1))]))
  const [known, unknown] = [limiterOf(policyOf(1)), limiterOf(policyOf(2))]
  for (let limit = 3; limit < 2_000; limit++) limiterOf(policyOf(limit))
  expect(limiterOf(policyOf(1))).toBe(known)
  expect(limiterOf(policyOf(2))).not.toBe(unknown)
})

test("perPolicy() forgets those that are idle first, and none that the same request may ask", () => {
  const busy = new Set<object>()
  const bound = { most: 100, weigh: () => 1, growth: 0, isIdle: (limiter: object) => !busy.has(limiter) }
  const limiterOf = perPolicy(make, new Set(), bound)
  const limiters = Array.from({ length: 100 }, (_, index) => limiterOf(policyOf(index + 1)))
  for (const limiter of limiters.slice(0, 50)) busy.add(limiter)
  limiterOf(policyOf(101))
  const isKept = (index: number) => limiterOf(policyOf(index + 1)) === limiters[index]
  // 15 of those looked up last, and the one just made, are still to be asked.
  expect([0, 49, 50, 84, 85, 99].map(isKept)).toEqual([true, true, false, false, true, true])
})

test("perPolicy() looks at all limiters once for each eighth of the bound, though nearly all of it is in use", () => {
  let looks = 0
  const isIdle = () => {
    looks += 1
    return false
  }
  const limiterOf = perPolicy(make, new Set(), { most: 800, weigh: () => 1, growth: 1, isIdle })
  for (let limit = 1; limit <= 790; limit++) limiterOf(policyOf(limit))
  looks = 0
  for (let question = 0; question < 1_000; question++) limiterOf(policyOf(790))
  expect(looks).toBeLessThanOrEqual(10 * 790)
  expect(looks).toBeGreaterThan(0)
})
