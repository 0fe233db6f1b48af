import { expect, test } from "vitest"
import { memoryLimiters } from "../../src/http/memory-limiters.js"
import { identityOf } from "../../src/http/per-policy.js"
import { rateLimit } from "../../src/http/rate-limit.js"
import { parsePolicy } from "../../src/policy/parse-policy.js"
import { ManualClock } from "../../src/types/clock.js"
import { ok, requestOf } from "./requests.js"

const NONE: ReadonlySet<string> = new Set()
const identities = (...policies: string[]) => new Set(policies.map((policy) => identityOf(parsePolicy(policy))))

/** Charges so many keys, and tells how many are held. */
function held(limiter: ReturnType<ReturnType<typeof memoryLimiters>>, keys: number): number {
  for (let key = 0; key < keys; key++) limiter.check(`k${key}`)
  return limiter.size
}

test("memoryLimiters() hold 16,384 keys of a policy that a function gives, and half as many of one of two rules", () => {
  const limiters = memoryLimiters({ known: NONE, hasOthers: true }, { clock: new ManualClock(0) })
  expect(held(limiters(parsePolicy("1/hour")), 20_000)).toBe(16_384)
  expect(held(limiters(parsePolicy("1/hour; 2/day")), 10_000)).toBe(8_192)
})

test("memoryLimiters() bound what all policies hold together that a function gives, and pass it by an eighth at most", () => {
  const most = 2 ** 15
  const limiters = memoryLimiters({ known: NONE, hasOthers: true }, { clock: new ManualClock(0) }, most)
  const made = Array.from({ length: 100 }, (_, index) => {
    const policy = parsePolicy(`${index + 1}/hour`)
    for (let key = 0; key < 512; key++) limiters(policy).check(`k${key}`)
    return { policy, limiter: limiters(policy) }
  })
  const firstKept = made.findLastIndex(({ policy, limiter }) => limiters(policy) !== limiter) + 1
  const kept = made.slice(firstKept).map(({ limiter }) => 128 + limiter.size)
  const weight = kept.reduce((sum, each) => sum + each, 0)
  expect(weight).toBeGreaterThan((most * 3) / 4)
  expect(weight).toBeLessThanOrEqual((most * 9) / 8)
})

test("rateLimit() keeps the counts of the policies that a function lists, however many others it makes up", async () => {
  const choose = (request: Request) => request.headers.get("plan") ?? "1/hour"
  const free = () => requestOf({ plan: "1/day as free" })
  for (const [policy, status] of [
    [choose, 200],
    [Object.assign(choose.bind(null), { policies: ["1/day as free", "9/day as pro"] }), 429],
  ] as const) {
    const limited = rateLimit(ok, { policy, key: () => "k", maxKeys: 1, clock: new ManualClock(0) })
    expect((await limited(free())).status).toBe(200)
    for (let made = 1; made <= 9_300; made++) await limited(requestOf({ plan: `${made}/hour` }))
    expect((await limited(free())).status).toBe(status)
  }
  const policy = Object.assign(choose.bind(null), { policies: "1/day as free" as never })
  expect(() => rateLimit(ok, { policy })).toThrow(
    'Cannot rate limit: policy.policies is "1/day as free", allowed is a list.',
  )
})

test("memoryLimiters() count a block of a key as a key of those that all policies hold together", () => {
  const most = 2 ** 15
  const clock = new ManualClock(0)
  const limiters = memoryLimiters({ known: NONE, hasOthers: true }, { clock }, most)
  const made = Array.from({ length: 100 }, (_, index) => {
    const policy = parsePolicy({ limit: index + 1, period: "1s", block: "1d" })
    const limiter = limiters(policy)
    for (let key = 0; key < 512; key++) {
      limiters(policy).check(`k${key}`, { cost: index + 1 })
      limiters(policy).check(`k${key}`)
    }
    return { policy, limiter }
  })
  expect(made.at(-1)!.limiter.size).toBe(2 * 512)
  const kept = made.length - made.findLastIndex(({ policy, limiter }) => limiters(policy) !== limiter) - 1
  expect(kept).toBeGreaterThan(20)
  expect(kept * (128 + 2 * 512)).toBeLessThanOrEqual((most * 9) / 8)
})

test("memoryLimiters() share the keys where the policies are known, and hold as many as they are told", () => {
  const clock = new ManualClock(0)
  const two = memoryLimiters({ known: identities("1/hour", "2/hour"), hasOthers: false }, { clock })
  expect(held(two(parsePolicy("1/hour")), 30_000)).toBe(30_000)
  expect(
    held(memoryLimiters({ known: NONE, hasOthers: true }, { clock, maxKeys: 100 })(parsePolicy("1/hour")), 30_000),
  ).toBe(100)
})

test("memoryLimiters() forget of 20,000 policies those first of which nothing is used", () => {
  const clock = new ManualClock(0)
  const limiters = memoryLimiters({ known: NONE, hasOthers: true }, { clock })
  const used = Array.from({ length: 2_000 }, (_, index) => limiters(parsePolicy(`${index + 1}/day`)))
  for (const limiter of used) limiter.check("a", { cost: 1 })
  for (let policy = 1; policy <= 18_000; policy++) {
    limiters(parsePolicy(`${policy}/second`)).check("a")
    clock.advance(1)
  }
  expect(used.filter((limiter, index) => limiters(parsePolicy(`${index + 1}/day`)) !== limiter)).toEqual([])
})

test("rateLimit() limits every one of 1,000 policies that a function chooses", async () => {
  const policies = Array.from({ length: 1_000 }, (_, index) => `1/minute as t${index}`)
  const limited = rateLimit(ok, {
    policy: (request) => policies[Number(request.headers.get("t"))]!,
    clock: new ManualClock(0),
  })
  let admitted = 0
  for (let round = 0; round < 2; round++) {
    for (let t = 0; t < 1_000; t++) if ((await limited(requestOf({ t: String(t) }))).status === 200) admitted++
  }
  expect(admitted).toBe(1_000)
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
