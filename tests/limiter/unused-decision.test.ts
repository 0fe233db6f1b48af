import { expect, test } from "vitest"
import { RateLimiter } from "../../src/limiter/rate-limiter.js"
import { unusedDecision } from "../../src/limiter/unused-decision.js"
import { parsePolicy } from "../../src/policy/parse-policy.js"

test.each([
  "5/day",
  "7/minute fixed_window as x",
  "5/hour leaky_bucket burst 9",
  "7/minute sliding_window",
  "7/minute sliding_window_log",
  "10/second; 1000/hour burst 20",
  "1000/hour burst 20; 10/second fixed_window; 3/day token_bucket",
])("unusedDecision() is what a limiter says of a new key: %s", (policy) => {
  const limiter = new RateLimiter(policy)
  for (const cost of [0, 1, 3]) {
    expect(unusedDecision(parsePolicy(policy), "a", cost)).toEqual({ ...limiter.peek("a", { cost }) })
  }
})
