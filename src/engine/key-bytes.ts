import { KeyError } from "../types/errors.js"
import { MAX_KEY_BYTES } from "./core-exports.js"

const encoder = new TextEncoder()

/**
 * Writes a key as UTF-8 to the front of `view`, which must hold `MAX_KEY_BYTES`.
 *
 * Short ASCII, the common case, goes in by a loop over the characters; the rest by `encodeInto`, which would replace a
 * lone surrogate and so merge two keys: such a key is refused.
 *
 * @returns the length in bytes, 1 … 512
 * @throws {KeyError} where the key is no string, empty, too long or not well-formed Unicode
 */
export function writeKey(key: string, view: Uint8Array): number {
  if (typeof key !== "string") throw new KeyError(key, "a key is a string")
  const { length } = key
  if (length === 0) throw new KeyError(key, "a key is not empty")
  if (length <= MAX_LOOP) {
    let index = 0
    for (; index < length; index++) {
      const code = key.charCodeAt(index)
      if (code > 0x7f) break
      view[index] = code
    }
    if (index === length) return length
  }
  return encodeKey(key, view)
}

const scratch = new Uint8Array(MAX_KEY_BYTES)

/** Refuses what no limiter takes as a key. @throws {KeyError} as `writeKey` */
export function requireKey(key: string): void {
  writeKey(key, scratch)
}

/** Up to this length the loop is the faster way. */
const MAX_LOOP = 24

function encodeKey(key: string, view: Uint8Array): number {
  if (key.length <= MAX_KEY_BYTES) {
    const { read, written } = encoder.encodeInto(key, view)
    if (read === key.length) {
      if (written !== read && !key.isWellFormed()) throw new KeyError(key, "it holds a lone surrogate")
      return written
    }
  }
  throw new KeyError(key, `it is longer than ${MAX_KEY_BYTES} bytes of UTF-8`)
}
