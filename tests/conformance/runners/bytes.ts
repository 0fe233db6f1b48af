import { readFileSync } from "node:fs"
import { RateLimiter } from "sluice"
import { compiledCore } from "../core-case.js"
import { runCases } from "../run-cases.js"

const { bun, node } = process.versions as { readonly bun?: string; readonly node: string }
const module = new WebAssembly.Module(readFileSync(new URL(import.meta.resolve("sluice/core.wasm"))))
const report = await runCases(
  bun === undefined ? `Node ${node}` : `Bun ${bun}`,
  compiledCore(module),
  (policy, options) => new RateLimiter(policy, options),
)
console.log(JSON.stringify(report))
