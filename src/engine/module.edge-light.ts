import module from "../../core.wasm?module"

/**
 * The compiled core, for Vercel's Edge runtime, which is Next's too: it compiles no bytes and fetches no file of the
 * package. Its bundlers know by `?module` that the import is to be a `WebAssembly.Module`.
 */
export default module
