/**
 * The compiled core, for browsers: fetched, so that it is compiled while it comes and is no part of the script. webpack,
 * Vite and Parcel understand this address and put the file where it leads; esbuild and Bun do not (docs/library.md).
 */
const module: WebAssembly.Module = await WebAssembly.compileStreaming(
  fetch(new URL("../../core.wasm", import.meta.url)),
)

export default module
