/** A static import of WebAssembly, as workerd and bundlers resolve it. */
declare module "*.wasm" {
  const module: WebAssembly.Module
  export default module
}
