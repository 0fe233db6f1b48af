/** The compiled core, for browsers: fetched from beside this file, which bundlers understand. */
const module: WebAssembly.Module = await WebAssembly.compileStreaming(
  fetch(new URL("../../core.wasm", import.meta.url)),
)

export default module
