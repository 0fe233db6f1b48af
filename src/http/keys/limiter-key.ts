import { show } from "../../types/errors.js"
import { sha256Hex } from "./sha256-hex.js"

/** The one key of all requests that show no other. */
export const UNIDENTIFIED_KEY = "unidentified"

/** Stands before the hash of a key that was too long. */
export const HASHED_KEY_PREFIX = "sha256:"

const MAX_KEY_BYTES = 512
const encoder = new TextEncoder()

/**
 * Makes of what an extractor found a key that every limiter takes: nothing becomes `unidentified`, lone surrogates
 * become U+FFFD, and what has more than 512 bytes of UTF-8 becomes `"sha256:"` and its SHA-256 in hexadecimal.
 *
 * @throws {TypeError} where `found` is neither a text nor nothing
 */
export async function limiterKey(found: unknown, unidentified = UNIDENTIFIED_KEY): Promise<string> {
  const key = foundKey(found) ?? unidentified
  return unhashedKey(key) ?? `${HASHED_KEY_PREFIX}${await sha256Hex(key.toWellFormed())}`
}

/**
 * The key of `limiterKey`, at once; `undefined` where it is a hash, which has to be waited for.
 *
 * @throws as `limiterKey`
 */
export function unhashedKey(found: unknown): string | undefined {
  const key = (foundKey(found) ?? UNIDENTIFIED_KEY).toWellFormed()
  // A UTF-16 unit takes 3 bytes at most, so most keys need not be encoded to be counted.
  const fits = key.length * 3 <= MAX_KEY_BYTES || encoder.encode(key).length <= MAX_KEY_BYTES
  return fits ? key : undefined
}

/**
 * What an extractor found; `undefined` for nothing, an empty text too.
 *
 * @throws {TypeError} where it is neither a text nor nothing
 */
export function foundKey(found: unknown): string | undefined {
  if (found === undefined || found === null || found === "") return undefined
  if (typeof found === "string") return found
  throw new TypeError(`Cannot use key ${show(found)}: allowed is a text, or nothing.`)
}
