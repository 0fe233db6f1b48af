import { RateLimiter } from "sluice"
import * as core from "sluice/core.wasm"
import type { CoreExports } from "../../../src/engine/core-exports.js"
import { runCases } from "../run-cases.js"

// Deno instantiates the module by itself: the import is its exports, one instance for all cases.
const instance = core as unknown as CoreExports
const module = await WebAssembly.compileStreaming(fetch(import.meta.resolve("sluice/core.wasm")))
const { Deno } = globalThis as unknown as { Deno: { version: { deno: string } } }
const report = await runCases(
  `Deno ${Deno.version.deno}`,
  { module, instantiate: () => instance },
  (policy, options) => new RateLimiter(policy, options),
)
console.log(JSON.stringify(report))
