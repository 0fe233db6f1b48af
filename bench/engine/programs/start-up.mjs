// From bytes to the first answer, in a process that has done nothing else.
import { readFileSync } from "node:fs"
import { performance } from "node:perf_hooks"
import { gzipSync } from "node:zlib"

const { SLUICE_BENCH_INDEX: index, SLUICE_BENCH_WASM: wasm } = process.env
const bytes = readFileSync(new URL(wasm))

function time(work) {
  const start = performance.now()
  const result = work()
  return { ms: performance.now() - start, result }
}

const compiled = time(() => new WebAssembly.Module(bytes))
const instantiated = time(() => new WebAssembly.Instance(compiled.result))

const importStart = performance.now()
const { RateLimiter } = await import(index)
const importMs = performance.now() - importStart
const made = time(() => new RateLimiter("100/minute"))
const first = time(() => made.result.check("first"))
const second = time(() => made.result.check("second"))
if (!first.result.allowed || !second.result.allowed) throw new Error("the first checks were denied")

console.log(
  JSON.stringify({
    moduleBytes: bytes.length,
    moduleGzipBytes: gzipSync(bytes, { level: 9 }).length,
    compileMs: compiled.ms,
    instantiateMs: instantiated.ms,
    importMs,
    constructMs: made.ms,
    firstCheckMs: first.ms,
    secondCheckMs: second.ms,
  }),
)
