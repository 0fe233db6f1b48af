import { describe } from "vitest"
import { declareReportedCases } from "./declare-reported-cases.js"
import { bundleRunner, runCommand } from "./run-in-runtime.js"

describe("Bun, with core.wasm by its bytes", () => {
  declareReportedCases(/^Bun 1\./, async () => runCommand("bun", ["run", await bundleRunner("bytes")]))
})
