/**
 * Writes a key's characters as bytes into the core's memory.
 *
 * @returns how many there are; −1 where one is not ASCII, or they are more than `most`: then `most` bytes may have
 * changed all the same
 */
export type KeyStager = (key: string, pointer: number, most: number) => number

/** assembly/key-stager/index.ts, compiled: small enough to be a part of the code. */
export const KEY_STAGER_WASM =
  "AGFzbQEAAAABEwNgA29/fwF/YAFvAX9gAm9/AX8CQwMOd2FzbTpqcy1zdHJpbmcGbGVuZ3RoAAEOd2FzbTpqcy1zdHJpbmcKY2hhckNv" +
  "ZGVBdAACA2VudgZtZW1vcnkCAAADAgEABwkBBXN0YWdlAAIKSwFJAQN/IAAQACIEIAJKBEBBfw8LA0AgAyAESARAIAUgACADEAEiAnIh" +
  "BSABIANqIAI6AAAgA0EBaiEDDAELC0F/IAQgBUH/AEobCw=="

const BUILTINS = "wasm:js-string"

/**
 * Compiled at the first question: `null` where WebAssembly knows no js-string builtins, or compiles no bytes (workerd).
 */
let compiled: WebAssembly.Module | null | undefined

function compile(): WebAssembly.Module | null {
  try {
    const bytes = Uint8Array.from(atob(KEY_STAGER_WASM), (character) => character.charCodeAt(0))
    const module = new WebAssembly.Module(bytes, { builtins: ["js-string"] })
    // Builtins that are known are no imports any more. Calling back into JavaScript for each character would be slow.
    return WebAssembly.Module.imports(module).some(({ module }) => module === BUILTINS) ? null : module
  } catch {
    return null
  }
}

/** The way around copying a key twice, where the runtime has it. */
export function makeKeyStager(memory: WebAssembly.Memory): KeyStager | null {
  compiled ??= compile()
  if (compiled === null) return null
  const { exports } = new WebAssembly.Instance(compiled, { env: { memory } })
  return (exports as { readonly stage: KeyStager }).stage
}
