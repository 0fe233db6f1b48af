/** The compiled core, as workerd and bundlers import it; Deno and Node import its exports instead. */
declare const core: WebAssembly.Module
export default core
