import { describe } from "vitest"
import { RateLimiter } from "../../src/index.js"
import { declareLimiterCases } from "./declare-limiter-cases.js"

describe("RateLimiter in Node", () => {
  declareLimiterCases((policy, options) => new RateLimiter(policy, options))
})
