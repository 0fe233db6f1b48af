import { afterAll, describe } from "vitest"
import { declareLimiterCases } from "../conformance/declare-limiter-cases.js"
import { declareNamedLimitsCases } from "../conformance/declare-named-limits-cases.js"
import { EMBEDDED_LACKS, makeEmbeddedLimiter, makeEmbeddedLimits } from "./conforming-embedded-limiter.js"
import { removeFolders } from "./temporary-folder.js"

afterAll(removeFolders)

/** A busy disk may take milliseconds for each of the thousand commits that some cases wait for. */
const TIMEOUT_MS = 60_000

describe("one limit of openLimiter() in Node", { timeout: TIMEOUT_MS }, () => {
  declareLimiterCases(makeEmbeddedLimiter, EMBEDDED_LACKS)
})

describe("openLimiter() in Node", { timeout: TIMEOUT_MS }, () => {
  declareNamedLimitsCases(makeEmbeddedLimits)
})
