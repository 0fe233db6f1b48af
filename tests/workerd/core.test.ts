import core from "sluice/core.wasm"
import { describe } from "vitest"
import { compiledCore } from "../conformance/core-case.js"
import { declareCoreCases } from "../conformance/declare-core-cases.js"

describe("core.wasm in workerd, by a static import", () => {
  declareCoreCases(compiledCore(core))
})
