// From bytes to the first answer, in a process that has done nothing else.
import { readFileSync } from "node:fs"
import { performance } from "node:perf_hooks"
import { gzipSync } from "node:zlib"

const DIST = new URL("../../../dist/", import.meta.url)
const bytes = readFileSync(new URL("core.wasm", DIST))

function time(work) {
  const start = performance.now()
  const result = work()
  return { ms: performance.now() - start, result }
}

const compiled = time(() => new WebAssembly.Module(bytes))
const instantiated = time(() => new WebAssembly.Instance(compiled.result))

const importStart = performance.now()
const { RateLimiter } = await import(new URL("src/index.js", DIST).href)
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
