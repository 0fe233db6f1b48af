/** A static import of WebAssembly, as workerd and bundlers resolve it. */
declare module "*.wasm" {
  const module: WebAssembly.Module
  export default module
}

/** The same, as bundlers for Vercel's Edge runtime want it said. */
declare module "*.wasm?module" {
  const module: WebAssembly.Module
  export default module
}
