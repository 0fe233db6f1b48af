// Where a contender's loop gets its keys. One function for every workload, so that each loop calls the same one.
import { readFileSync } from "node:fs"
import { backs, FRONT_BITS, fronts, KEY_LENGTH } from "./key-text.mjs"

/** How a key's string comes to be. */
export const STRINGS = /** @type {const} */ ({
  /**
   * Cut from a longer text, as a part of a header is: a new string each time, no hash known yet. With many keys the
   * text is larger than the caches, so a figure has the wait for it too, which a text that was just received would not
   * cause.
   */
  cut: 0,
  /** Joined from two halves, as a template literal does: a new string each time, which its first reader flattens. */
  joined: 1,
  /** The same string object each time, its hash kept in it. */
  held: 2,
  /** Copied from bytes: a new string of its own, as a limiter that keeps its keys would hold it. */
  flat: 3,
})

const { cut: CUT, joined: JOINED, held: HELD } = STRINGS

// A text above 1 MB would be an external string, which is slower to read.
const CHUNK_BITS = 14
const CHUNK_MASK = 2 ** CHUNK_BITS - 1
const FRONT_MASK = 2 ** FRONT_BITS - 1

let mode = CUT
let order = new Int32Array(1)
let mask = 0
let text = Buffer.alloc(0)
let chunks = [""]
let firstHalves = [""]
let secondHalves = [""]
let held = [""]

/**
 * Reads the text of the keys 0 … `keys` − 1 from `path`; at least a chunk, since a cut of all of a text is no new
 * string.
 */
export function readKeys(path, keys) {
  text = readFileSync(path).subarray(0, Math.max(keys, 2 ** CHUNK_BITS) * KEY_LENGTH)
  const chunkBytes = KEY_LENGTH << CHUNK_BITS
  chunks = Array.from({ length: Math.ceil(text.length / chunkBytes) }, (_, index) =>
    text.latin1Slice(index * chunkBytes, Math.min(text.length, (index + 1) * chunkBytes)),
  )
  firstHalves = fronts()
  secondHalves = backs(keys)
}

/** Makes the strings that `held` gives out. */
export function holdKeys(keys) {
  held = Array.from({ length: keys }, (_, key) => text.latin1Slice(key * KEY_LENGTH, (key + 1) * KEY_LENGTH))
}

/**
 * Sets which keys come, and how.
 *
 * @param {Int32Array} draws keys by position; its length is a power of two, and it starts over at its end
 * @param {number} strings one of {@link STRINGS}
 */
export function useKeys(draws, strings) {
  order = draws
  mask = draws.length - 1
  mode = strings
}

/** Keys 0, 1, 2 … in order, at least `keys` of them. */
export const inOrder = (keys) => Int32Array.from({ length: 2 ** Math.ceil(Math.log2(keys)) }, (_, index) => index)

/** The key at a position of the sequence. */
export function keyAt(position) {
  const key = order[position & mask]
  if (mode === HELD) return held[key]
  if (mode === CUT) {
    const start = (key & CHUNK_MASK) * KEY_LENGTH
    return chunks[key >> CHUNK_BITS].slice(start, start + KEY_LENGTH)
  }
  if (mode === JOINED) return firstHalves[key & FRONT_MASK] + secondHalves[key >> FRONT_BITS]
  const start = key * KEY_LENGTH
  return text.latin1Slice(start, start + KEY_LENGTH)
}
