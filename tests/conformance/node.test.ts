import { readFileSync } from "node:fs"
import { describe } from "vitest"
import { RateLimiter } from "../../src/index.js"
import { compiledCore } from "./core-case.js"
import { declareCoreCases } from "./declare-core-cases.js"
import { declareLimiterCases } from "./declare-limiter-cases.js"

describe("core.wasm in Node", () => {
  const bytes = readFileSync(new URL("../../dist/core.wasm", import.meta.url))
  declareCoreCases(compiledCore(new WebAssembly.Module(bytes)))
})

describe("RateLimiter in Node", () => {
  declareLimiterCases((policy, options) => new RateLimiter(policy, options))
})
