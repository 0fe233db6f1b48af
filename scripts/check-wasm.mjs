// The core must run anywhere: it may import nothing, and it must stay small.
import { readFileSync } from "node:fs"
import { join } from "node:path"

const BYTES_MAX = 24 * 1024
const bytes = readFileSync(join(import.meta.dirname, "..", "dist", "core.wasm"))
const imports = WebAssembly.Module.imports(new WebAssembly.Module(bytes))

console.log(`core.wasm: ${bytes.length} of at most ${BYTES_MAX} bytes, ${imports.length} imports`)
for (const { module, name, kind } of imports) console.error(`core.wasm imports the ${kind} ${module}.${name}`)
if (bytes.length > BYTES_MAX) console.error(`core.wasm is ${bytes.length - BYTES_MAX} bytes too large`)
process.exit(imports.length === 0 && bytes.length <= BYTES_MAX ? 0 : 1)
