/*
 * A module of its own, for hosts whose WebAssembly knows the js-string builtins: it reads a key's characters where they
 * are, and writes them as bytes into the core's memory. What it imports is that memory, and the builtins, which such
 * hosts compile to plain loads. src/engine/key-stager.ts holds it compiled; tests/engine/key-stager.test.ts compares.
 */
// @ts-ignore: decorator
@external("wasm:js-string", "length")
declare function lengthOf(text: externref): i32
// @ts-ignore: decorator
@external("wasm:js-string", "charCodeAt")
declare function charCodeAt(text: externref, index: i32): i32

/**
 * Writes the characters of `text` at `to` and returns how many; −1 where one is not ASCII, or they are above `most`.
 */
export function stage(text: externref, to: usize, most: i32): i32 {
  const length = lengthOf(text)
  if (length > most) return -1
  let all = 0
  for (let index = 0; index < length; index++) {
    const code = charCodeAt(text, index)
    all |= code
    store<u8>(to + index, <u8>code)
  }
  return all > 0x7f ? -1 : length
}
