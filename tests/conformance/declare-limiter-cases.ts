import { test } from "vitest"
import { type Lacks, type MakeLimiter, skipReason } from "./limiter-case.js"
import { limiterCases } from "./limiter-cases.js"

/** Makes each case of the limiters' suite a test of this runtime. */
export function declareLimiterCases(make: MakeLimiter, lacks: Lacks = {}): void {
  for (const limiterCase of limiterCases) {
    const reason = skipReason(limiterCase, lacks)
    if (reason === null) test(limiterCase.name, () => limiterCase.run(make))
    else test.skip(`${limiterCase.name} (skipped: ${reason})`, () => {})
  }
}
