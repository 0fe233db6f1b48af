import module from "../../core.wasm"

/** The compiled core, for workerd: it refuses to compile bytes at run time, so the import is static. */
export default module
