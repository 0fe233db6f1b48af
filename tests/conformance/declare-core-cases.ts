import { test } from "vitest"
import type { CoreUnderTest } from "./core-case.js"
import { coreCases } from "./core-cases.js"

/** Makes each case of the core's suite a test of this runtime. */
export function declareCoreCases(core: CoreUnderTest): void {
  for (const coreCase of coreCases) test(coreCase.name, () => coreCase.run(core))
}
