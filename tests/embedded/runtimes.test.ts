import { beforeAll, describe, expect, test } from "vitest"
import { skipReason } from "../conformance/limiter-case.js"
import { limiterCases } from "../conformance/limiter-cases.js"
import { namedLimitsCases } from "../conformance/named-limits-cases.js"
import type { CaseResult } from "../conformance/run-cases.js"
import { bundleRunner, runCommand } from "../conformance/run-in-runtime.js"
import { EMBEDDED_LACKS } from "./conforming-embedded-limiter.js"

const LONGEST_RUN_MS = 120_000
const NAMES = [...limiterCases.filter((each) => skipReason(each, EMBEDDED_LACKS) === null), ...namedLimitsCases].map(
  ({ name }) => name,
)

describe.each([
  { runtime: /^Deno 2\./, command: "deno", args: ["run", "--no-prompt", "--allow-all"] },
  { runtime: /^Bun 1\./, command: "bun", args: ["run"] },
])("openLimiter() in $command", ({ runtime, command, args }) => {
  let report: { readonly runtime: string; readonly results: readonly CaseResult[] }

  beforeAll(async () => {
    report = JSON.parse(await runCommand(command, [...args, await bundleRunner("embedded")]))
  }, LONGEST_RUN_MS)

  test("tells its name and runs every case", () => {
    expect(report.runtime).toMatch(runtime)
    expect(report.results.map(({ name }) => name)).toEqual(NAMES)
  })

  for (const [index, name] of NAMES.entries()) {
    test(name, () => {
      const { failure } = report.results[index]!
      if (failure !== null) throw new Error(failure)
    })
  }
})
