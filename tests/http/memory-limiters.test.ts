import { expect, test } from "vitest"
import { memoryLimiters } from "../../src/http/memory-limiters.js"
import { rateLimit } from "../../src/http/rate-limit.js"
import { parsePolicy } from "../../src/policy/parse-policy.js"
import { ManualClock } from "../../src/types/clock.js"
import { ok, requestOf } from "./requests.js"

test("memoryLimiters() bound the keys of all policies together", () => {
  const clock = new ManualClock(0)
  const limiters = memoryLimiters(undefined, { clock })
  const limiter = limiters(parsePolicy("1/hour"))
  for (let key = 0; key < 20_000; key++) limiter.allow(`k${key}`)
  expect(limiter.size).toBe(16_384)
  const first = limiters(parsePolicy("1/hour"))
  expect(first).toBe(limiter)
  for (let policy = 2; policy <= 65; policy++) limiters(parsePolicy(`${policy}/hour`))
  expect(limiters(parsePolicy("1/hour"))).not.toBe(limiter)
})

test("memoryLimiters() hold half as many keys of a policy of two rules", () => {
  const limiter = memoryLimiters(undefined, { clock: new ManualClock(0) })(parsePolicy("1/hour; 2/day"))
  for (let key = 0; key < 10_000; key++) limiter.allow(`k${key}`)
  expect(limiter.size).toBe(8_192)
})

test("memoryLimiters() share the keys where the policies are known, and hold as many as they are told", () => {
  const clock = new ManualClock(0)
  const [two, told] = [memoryLimiters(2, { clock }), memoryLimiters(undefined, { clock, maxKeys: 100 })]
  const half = two(parsePolicy("1/hour"))
  const few = told(parsePolicy("1/hour"))
  for (let key = 0; key < 30_000; key++) {
    half.allow(`k${key}`)
    few.allow(`k${key}`)
  }
  expect([half.size, few.size]).toEqual([30_000, 100])
})

test("rateLimit() refuses a maxKeys that cannot be, and keeps to one that can", async () => {
  expect(() => rateLimit(ok, { policy: "1/minute", maxKeys: 0 })).toThrow("maxKeys")
  const limited = rateLimit(ok, {
    policy: "1/hour",
    maxKeys: 1,
    key: (request) => request.headers.get("k"),
    clock: new ManualClock(0),
  })
  const statuses: number[] = []
  for (const k of ["a", "b", "a"]) statuses.push((await limited(requestOf({ k }))).status)
  // The one place went to b, so a is new again.
  expect(statuses).toEqual([200, 200, 200])
})
