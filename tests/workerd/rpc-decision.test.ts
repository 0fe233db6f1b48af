import { describe, expect, test } from "vitest"
import { ALGORITHMS, ManualClock, parsePolicy, RateLimiter } from "../../src/index.js"
import { StoreUnavailable } from "../../src/types/errors.js"
import { ownError } from "../../worker/object-calls.js"
import { readRpcDecision, rpcDecision } from "../../worker/rpc-decision.js"
import { clockedLimiter, START_MS } from "./objects.js"

describe("rpcDecision() and readRpcDecision()", () => {
  test.each(ALGORITHMS)(
    "%s: whatever was decided is read as it was, in few words where it was admitted",
    (algorithm) => {
      const policy = parsePolicy({ limit: 7, period: "1m", algorithm, name: `of ${algorithm}` })
      const clock = new ManualClock(START_MS)
      const limiter = new RateLimiter(policy, { clock })
      for (const cost of [1, 3, 0, 2, 4, 1, 7, 1]) {
        clock.advance(1_234)
        const decision = limiter.check("a key\n{", { cost })
        const text = rpcDecision(decision, { isAsSent: true })
        expect(text.startsWith("{")).toBe(!decision.allowed || cost === 0)
        expect(JSON.stringify(readRpcDecision(text, "a key\n{", cost, policy))).toBe(JSON.stringify(decision))
      }
    },
  )

  test("of several rules, and of another policy than was sent, tell all", () => {
    const policy = parsePolicy("10/second; 100/hour")
    const decision = new RateLimiter(policy, { clock: new ManualClock(START_MS) }).check("a")
    expect(readRpcDecision(rpcDecision(decision, { isAsSent: true }), "a", 1, policy).rules).toHaveLength(2)
    const other = new RateLimiter("3/day as other", { clock: new ManualClock(START_MS) }).check("a")
    expect(readRpcDecision(rpcDecision(other, { isAsSent: false }), "a", 1, policy)).toMatchObject({
      policy: "other",
      limit: 3,
    })
  })
})

test("a check in the words of another version is a StoreUnavailable", async () => {
  const { object } = clockedLimiter("10/day")
  const stub = object() as unknown as { check(subject: object, cost: number): Promise<string> }
  const error = await stub.check({ key: "a", policy: "10/day" }, 1).catch(ownError)
  expect(error).toBeInstanceOf(StoreUnavailable)
})
