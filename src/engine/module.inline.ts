import text from "#core-text"

/**
 * The compiled core as a part of the code, for Node, Deno and Bun: bundlers for these join the code to one file and
 * leave behind what it would read from beside it.
 */
const module: WebAssembly.Module = new WebAssembly.Module(decode(text))

/** The bytes of Base64, by what is in browsers too. */
function decode(text: string): Uint8Array<ArrayBuffer> {
  const { fromBase64 } = Uint8Array as { readonly fromBase64?: (text: string) => Uint8Array<ArrayBuffer> }
  if (fromBase64 !== undefined) return fromBase64(text)
  const characters = atob(text)
  const bytes = new Uint8Array(characters.length)
  // A function called for each, as `Uint8Array.from` does it, would take several milliseconds of every start.
  for (let at = 0; at < bytes.length; at++) bytes[at] = characters.charCodeAt(at)
  return bytes
}

export default module
