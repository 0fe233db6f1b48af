// The core must run anywhere: it may import nothing, it must stay small, and the file and the text of it must be one.
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { pathToFileURL } from "node:url"

const MAX_BYTES = 24 * 1024
const dist = join(import.meta.dirname, "..", "dist")
const bytes = readFileSync(join(dist, "core.wasm"))
const { default: text } = await import(pathToFileURL(join(dist, "vendor", "core-text.js")).href)
const isOne = bytes.equals(Buffer.from(text, "base64"))
const imports = WebAssembly.Module.imports(new WebAssembly.Module(bytes))

console.log(`core.wasm: ${bytes.length} of at most ${MAX_BYTES} bytes, ${imports.length} imports`)
for (const { module, name, kind } of imports) console.error(`core.wasm imports the ${kind} ${module}.${name}`)
if (bytes.length > MAX_BYTES) console.error(`core.wasm is ${bytes.length - MAX_BYTES} bytes too large`)
if (!isOne) console.error("vendor/core-text.js holds other bytes than core.wasm")
process.exit(isOne && imports.length === 0 && bytes.length <= MAX_BYTES ? 0 : 1)
