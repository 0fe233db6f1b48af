import { test } from "vitest"
import type { MakeNamedLimits, NamedLimitsUnderTest } from "./named-limits-case.js"
import { namedLimitsCases } from "./named-limits-cases.js"

/** Makes each case of the suite of named limits a test of this runtime. */
export function declareNamedLimitsCases(make: MakeNamedLimits): void {
  for (const { name, run } of namedLimitsCases) {
    test(name, async () => {
      const made: NamedLimitsUnderTest[] = []
      try {
        await run(async (options) => {
          const limits = await make(options)
          made.push(limits)
          return limits
        })
      } finally {
        for (const limits of made) await limits.close?.()
      }
    })
  }
}
