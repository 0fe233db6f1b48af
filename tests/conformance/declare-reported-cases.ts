import { beforeAll, describe, expect, test } from "vitest"
import { coreCases } from "./core-cases.js"
import { limiterCases } from "./limiter-cases.js"
import type { CaseResult, RunReport } from "./run-cases.js"

const LONGEST_RUN_MS = 120_000

/**
 * Makes each case of both suites a test that tells how it ended in another process.
 *
 * @param run starts the process and returns what it printed: a report as JSON
 */
export function declareReportedCases(runtime: RegExp, run: () => Promise<string>): void {
  let report: RunReport

  beforeAll(async () => {
    report = JSON.parse(await run()) as RunReport
  }, LONGEST_RUN_MS)

  test("tells its name and runs every case", () => {
    expect(report.runtime).toMatch(runtime)
    expect(report.core.map(({ name }) => name)).toEqual(coreCases.map(({ name }) => name))
    expect(report.limiter.map(({ name }) => name)).toEqual(limiterCases.map(({ name }) => name))
  })

  describe("core.wasm", () => {
    for (const { name } of coreCases) test(name, () => expectPassed(report.core, name))
  })

  describe("RateLimiter", () => {
    for (const { name } of limiterCases) test(name, () => expectPassed(report.limiter, name))
  })
}

function expectPassed(results: readonly CaseResult[], name: string): void {
  const result = results.find((found) => found.name === name)
  if (result === undefined) throw new Error(`The case ${JSON.stringify(name)} was not run.`)
  if (result.failure !== null) throw new Error(result.failure)
}
