import process from "node:process"
import { EMBEDDED_LACKS, makeEmbeddedLimiter, makeEmbeddedLimits } from "../../embedded/conforming-embedded-limiter.js"
import { removeFolders } from "../../embedded/temporary-folder.js"
import { skipReason } from "../limiter-case.js"
import { limiterCases } from "../limiter-cases.js"
import { namedLimitsCases } from "../named-limits-cases.js"
import { type CaseResult, outcomeOf } from "../run-cases.js"

/** Runs the suites of limiters and of named limits on stores in this runtime, and prints how each case ended. */
const { bun, deno, node } = process.versions as { bun?: string; deno?: string; node: string }
const runtime = bun !== undefined ? `Bun ${bun}` : deno !== undefined ? `Deno ${deno}` : `Node ${node}`
const results: CaseResult[] = []
for (const { name, run, ...limiterCase } of limiterCases) {
  if (skipReason({ name, run, ...limiterCase }, EMBEDDED_LACKS) !== null) continue
  results.push(await outcomeOf(name, () => run(makeEmbeddedLimiter)))
}
for (const { name, run } of namedLimitsCases) results.push(await outcomeOf(name, () => run(makeEmbeddedLimits)))
removeFolders()
console.log(JSON.stringify({ runtime, results }))
// Whatever the cases left open must not keep the process.
process.exit(0)
