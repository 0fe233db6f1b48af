import { RateLimiter } from "sluice"
import { compiledCore } from "../core-case.js"
import { runCases } from "../run-cases.js"

/**
 * Runs both suites on a page.
 *
 * @param coreUrl where the page's server has core.wasm
 * @returns the report as JSON
 */
export async function run(coreUrl: string): Promise<string> {
  const core = compiledCore(await WebAssembly.compileStreaming(fetch(coreUrl)))
  const report = await runCases("a browser's bundle", core, (policy, options) => new RateLimiter(policy, options))
  return JSON.stringify(report)
}
