import { readFileSync } from "node:fs"

/** The compiled core, for Node, Deno and Bun: the bytes that lie in the package. */
const module: WebAssembly.Module = new WebAssembly.Module(readFileSync(new URL("../../core.wasm", import.meta.url)))

export default module
