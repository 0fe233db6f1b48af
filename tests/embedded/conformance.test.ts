import { afterAll, describe } from "vitest"
import { declareLimiterCases } from "../conformance/declare-limiter-cases.js"
import { declareNamedLimitsCases } from "../conformance/declare-named-limits-cases.js"
import { EMBEDDED_LACKS, makeEmbeddedLimiter, makeEmbeddedLimits } from "./conforming-embedded-limiter.js"
import { removeFolders } from "./temporary-folder.js"

afterAll(removeFolders)

describe("one limit of openLimiter() in Node", () => {
  declareLimiterCases(makeEmbeddedLimiter, EMBEDDED_LACKS)
})

describe("openLimiter() in Node", () => {
  declareNamedLimitsCases(makeEmbeddedLimits)
})
