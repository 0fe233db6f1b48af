import { describe, test } from "vitest"
import { RateLimiter } from "../../src/index.js"
import { declareLimiterCases } from "../conformance/declare-limiter-cases.js"
import { skipReason } from "../conformance/limiter-case.js"
import { limiterCases } from "../conformance/limiter-cases.js"
import { ConformingEdgeLimiter } from "./conforming-edge-limiter.js"

/** Some cases ask a thousand times, one call after the other. */
const TIMEOUT_MS = 60_000

/** Of every limiter on Workers. */
const WORKERS_LACK = { hears: "each call waits by itself, as on a timer of its request" }

const LACKS = {
  ...WORKERS_LACK,
  many: "a call to an object is about one key",
  maxKeys: "each key has an object of its own, so there is no bound to keep",
  size: "the objects are not counted anywhere",
}

const SKIPPED: Readonly<Record<string, string>> = {
  "a clock that tells no time is a RangeError, and changes nothing":
    "a policy is no call of its own, so setPolicy() reads no clock",
  "keys of every length from 1 to 512 bytes are kept apart":
    "it makes 600 objects, for what is the core's own and is asked of RateLimiter below",
}

describe("EdgeLimiter", () => {
  for (const limiterCase of limiterCases) {
    const { name } = limiterCase
    const reason = SKIPPED[name] ?? skipReason(limiterCase, LACKS)
    if (reason !== null) test.skip(`${name} (skipped: ${reason})`, () => {})
    else test(name, { timeout: TIMEOUT_MS }, () => limiterCase.run((...made) => new ConformingEdgeLimiter(...made)))
  }
})

describe("RateLimiter in workerd", () => {
  declareLimiterCases((policy, options) => new RateLimiter(policy, options), WORKERS_LACK)
})
