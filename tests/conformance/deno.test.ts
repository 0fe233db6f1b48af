import { describe } from "vitest"
import { declareReportedCases } from "./declare-reported-cases.js"
import { bundleRunner, runCommand } from "./run-in-runtime.js"

describe("Deno, with core.wasm imported as a module", () => {
  declareReportedCases(/^Deno 2\./, async () => {
    return runCommand("deno", ["run", "--no-prompt", "--allow-read", await bundleRunner("deno")])
  })
})
