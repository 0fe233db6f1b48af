const address = new URL("../../core.wasm", import.meta.url)
/** The smallest module that there is: a header alone. */
const EMPTY = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0)

/**
 * What is to be done where the core was not compiled. Browsers name a refusal of the page's policy by different errors.
 */
function advice(): string {
  try {
    new WebAssembly.Module(EMPTY)
    return 'serve it, or bundle with the condition "node", on an edge runtime "edge-light" or "workerd".'
  } catch {
    return "allow 'wasm-unsafe-eval' in script-src of the page's Content-Security-Policy."
  }
}

/**
 * The compiled core, for browsers: fetched, so that it is compiled while it comes and is no part of the script.
 * webpack, Vite and Parcel understand this address and put the file where it leads; esbuild and Bun do not
 * (docs/library.md).
 */
const module: WebAssembly.Module = await WebAssembly.compileStreaming(fetch(address)).catch((cause) => {
  throw new Error(`Cannot load ${address}: ${advice()}`, { cause })
})

export default module
