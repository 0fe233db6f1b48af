import { KeyError } from "../types/errors.js"
import { MAX_KEY_BYTES } from "./core-exports.js"
import { requireKey } from "./key-bytes.js"

const encoder = new TextEncoder()
/** So many keys are joined and encoded at a time: their text stays in the cache. */
const RUN = 256

/** Bytes that packing these keys may need. @throws {KeyError} where one is no string, empty, or too long as it is */
export function packedRoom(keys: readonly string[]): number {
  let length = 0
  for (const key of keys) {
    if (typeof key !== "string" || key.length === 0 || key.length > MAX_KEY_BYTES) requireKey(key)
    length += key.length
  }
  // UTF-8 takes at most three bytes for a UTF-16 unit, and a hash reads up to 15 bytes past a key.
  return length * 3 + 16
}

/**
 * Writes keys as UTF-8, one right behind the other, and where each ends.
 *
 * Keys are joined and encoded together: as many bytes as characters prove that all are ASCII, and the lengths are the
 * ends. Only a run with other characters is encoded key by key.
 *
 * @param bytes room for `packedRoom(keys)` bytes
 * @param ends one place per key
 * @throws {KeyError} where a key is longer than 512 bytes or holds a lone surrogate
 */
export function packKeys(keys: readonly string[], bytes: Uint8Array, ends: Uint32Array): void {
  let at = 0
  for (let first = 0; first < keys.length; first += RUN) {
    const last = Math.min(first + RUN, keys.length)
    const begin = at
    let joined = ""
    for (let index = first; index < last; index++) {
      const key = keys[index]!
      joined += key
      at += key.length
      ends[index] = at
    }
    const { written } = encoder.encodeInto(joined, begin === 0 ? bytes : bytes.subarray(begin))
    if (written === joined.length) continue
    at = begin
    for (let index = first; index < last; index++) {
      at += packKey(keys[index]!, bytes.subarray(at))
      ends[index] = at
    }
  }
}

function packKey(key: string, bytes: Uint8Array): number {
  if (!key.isWellFormed()) throw new KeyError(key, "it holds a lone surrogate")
  const { written } = encoder.encodeInto(key, bytes)
  if (written > MAX_KEY_BYTES) throw new KeyError(key, `it is longer than ${MAX_KEY_BYTES} bytes of UTF-8`)
  return written
}
