import fc from "fast-check"
import { expect, test } from "vitest"
import { type LimitOptions, type RateLimitOptions, rateLimit } from "../../src/http/index.js"
import { checkAll } from "../../src/limiter/check-all.js"
import { copyDecision } from "../../src/limiter/copy-decision.js"
import { RateLimiter } from "../../src/limiter/rate-limiter.js"
import { ManualClock } from "../../src/types/clock.js"
import type { CheckOptions } from "../../src/types/limiter.js"
import type { Receipt } from "../../src/types/receipt.js"
import { assertProperty } from "../property/assert-property.js"
import { ok, requestOf, settled } from "./requests.js"

const POLICIES = [
  "3/second",
  "7/minute burst 4",
  { limit: 5, period: "10s", algorithm: "fixed_window", anchor: "first" },
  { limit: 4, period: "2s", algorithm: "sliding_window_log" },
  { limit: 3, period: "1s", algorithm: "sliding_window", block: "3s" },
  "2/second; 6/minute",
] as const

const RUNS = 50

const policy = fc.constantFrom(...POLICIES)
const calls = fc.array(
  fc.record({
    waitMs: fc.integer({ min: 0, max: 1_500 }),
    keys: fc.tuple(fc.constantFrom("a", "b"), fc.constantFrom("x", "y")),
    costs: fc.tuple(fc.integer({ min: 0, max: 2 }), fc.integer({ min: 0, max: 2 })),
  }),
  { maxLength: 40 },
)

/** Two limits whose keys and costs a request says. */
const limitsOf = (policies: readonly [unknown, unknown]): LimitOptions<[]>[] =>
  policies.map((each, index) => ({
    policy: each as string,
    name: `limit-${index}`,
    key: ({ headers }: Request) => headers.get(`key-${index}`),
    cost: ({ headers }: Request) => Number(headers.get(`cost-${index}`)),
  }))
const requestFor = (keys: readonly string[], costs: readonly number[]) =>
  requestOf(
    Object.fromEntries(
      keys.flatMap((key, index) => [
        [`key-${index}`, key],
        [`cost-${index}`, String(costs[index])],
      ]),
    ),
  )

test("several limits in memory decide as checkAll() of the same limiters", async () => {
  await assertProperty(
    fc.asyncProperty(fc.tuple(policy, policy), calls, async (policies, sequence) => {
      const clock = new ManualClock(1_000_000)
      const limited = rateLimit(ok, { limits: limitsOf(policies), clock })
      const alone = policies.map((each) => new RateLimiter(each as string, { clock }))
      for (const { waitMs, keys, costs } of sequence) {
        clock.advance(waitMs)
        const response = await limited(requestFor(keys, costs))
        const expected = checkAll(keys.map((key, index) => ({ limiter: alone[index]!, key, cost: costs[index]! })))
        expect(response.status === 200).toBe(expected.allowed)
      }
    }),
    RUNS,
  )
})

test("several limits elsewhere admit no more than each allows, and hold no charge of what was denied", async () => {
  await assertProperty(
    fc.asyncProperty(
      fc.tuple(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 6 })),
      fc.array(fc.tuple(fc.constantFrom("a", "b"), fc.constantFrom("x", "y")), { maxLength: 24 }),
      fc.array(fc.nat(5), { minLength: 1, maxLength: 20 }),
      async (sizes, asked, delays) => {
        const clock = new ManualClock(1_000_000)
        let turn = 0
        const later = async () => {
          turn += 1
          for (let left = delays[turn % delays.length]!; left > 0; left--) await settled()
        }
        const counted = new Map<string, RateLimiter>()
        const limiter: RateLimitOptions<[]>["limiter"] = (made) => {
          const inner = counted.get(made.name) ?? new RateLimiter(made, { clock })
          counted.set(made.name, inner)
          return {
            async check(key: string, options?: CheckOptions) {
              await later()
              const decision = copyDecision(inner.check(key, options))
              await later()
              return decision
            },
            async refund(receipt: Receipt) {
              await later()
              inner.refund(receipt)
            },
          }
        }
        const policies = sizes.map((limit) => ({ limit, period: "1h", algorithm: "fixed_window" }))
        const limits = limitsOf(policies as unknown as [unknown, unknown])
        const limited = rateLimit(ok, { limits, limiter })
        const admitted: (readonly string[])[] = []
        await Promise.all(
          asked.map(async (keys) => {
            if ((await limited(requestFor(keys, [1, 1]))).status === 200) admitted.push(keys)
          }),
        )
        for (let left = 20; left > 0; left--) await settled()
        for (const [index, limit] of sizes.entries()) {
          for (const key of index === 0 ? ["a", "b"] : ["x", "y"]) {
            const used = admitted.filter((keys) => keys[index] === key).length
            expect(used).toBeLessThanOrEqual(limit)
            const remaining = counted.get(`limit-${index}`)?.peek(key, { cost: 0 }).remaining ?? limit
            expect(limit - remaining).toBe(used)
          }
        }
      },
    ),
    RUNS,
  )
})
