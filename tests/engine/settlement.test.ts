import { expect, test } from "vitest"
import { settleWithinMs } from "../../src/engine/settlement.js"
import { parsePolicy } from "../../src/policy/parse-policy.js"

test("settleWithinMs() is an hour and twice the time to fill, the last step of a step bucket whole", () => {
  expect(settleWithinMs(parsePolicy("60/minute burst 30"))).toBe(3_600_000 + 60_000)
  const refill = { amount: 4, every: "1d" } as const
  const steps = parsePolicy({ limit: 4, period: "1d", algorithm: "token_bucket", burst: 5, refill })
  expect(settleWithinMs(steps)).toBe(3_600_000 + 2 * 2 * 86_400_000)
})
