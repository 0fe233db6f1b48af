const address = new URL("../../core.wasm", import.meta.url)

/**
 * The compiled core, for browsers: fetched, so that it is compiled while it comes and is no part of the script. webpack,
 * Vite and Parcel understand this address and put the file where it leads; esbuild and Bun do not (docs/library.md).
 */
const module: WebAssembly.Module = await WebAssembly.compileStreaming(fetch(address)).catch((cause) => {
  throw new Error(`Cannot load ${address}: serve it, or bundle with the condition "node".`, { cause })
})

export default module
