import type { LedgerPort } from "./sql-port.js"

/** Bytes that one step of SHA-256 takes. */
const BLOCK = 64
/** A block that is padded ends with the length in bits, in so many bytes, after a byte that ends the text. */
const LENGTH_BYTES = 8
const END_OF_TEXT = 0x80
/** From so many bytes on that are new, a platform's own hash of the whole row is faster. */
const MUCH = 512

const ROUNDS = 64
/** The first 32 bits of the fractional parts of the primes' cube roots, and of the first eight square roots. */
const K = Int32Array.from(primes(ROUNDS), (prime) => fraction(Math.cbrt(prime)))
const START = Int32Array.from(primes(8), (prime) => fraction(Math.sqrt(prime)))
/** The words of a block and of its padding. All calls share them, since none needs them once it has returned. */
const words = new Int32Array(ROUNDS)
const padded = new Uint8Array(2 * BLOCK)
const ending = new Int32Array(START.length)

/** A platform, which may have a hash of its own that answers at once. */
type Platform = Pick<LedgerPort, "sha256Now">

/**
 * SHA-256 (FIPS 180-4) of bytes that grow at their end: what was hashed before is not hashed again. A platform's own is
 * asynchronous in some runtimes, and knows no bytes that grow.
 */
export class GrowingHash {
  readonly #state = START.slice()
  readonly #platform: Platform
  /** So many bytes, whole blocks, are in the state. */
  #taken = 0

  constructor(platform: Platform = {}) {
    this.#platform = platform
  }

  /**
   * The hash of `bytes`, 32 bytes; costs the bytes that are new since the last call.
   *
   * @param lasting how many of them, from the first on, were the same in the calls before and will be in every later
   *   one
   */
  of(bytes: Uint8Array, lasting: number): Uint8Array {
    const platform = this.#platform
    if (platform.sha256Now !== undefined && bytes.length - this.#taken > MUCH) return platform.sha256Now(bytes)
    for (; this.#taken + BLOCK <= lasting; this.#taken += BLOCK) step(this.#state, bytes, this.#taken)
    ending.set(this.#state)
    let at = this.#taken
    for (; at + BLOCK <= bytes.length; at += BLOCK) step(ending, bytes, at)
    endText(ending, bytes, at)
    return hashOf(ending)
  }
}

/** Takes what is left of a text, less than a block, and its end. */
function endText(state: Int32Array, bytes: Uint8Array, at: number): void {
  const left = bytes.length - at
  const length = left < BLOCK - LENGTH_BYTES ? BLOCK : 2 * BLOCK
  for (let index = 0; index < left; index++) padded[index] = bytes[at + index]!
  padded.fill(0, left, length)
  padded[left] = END_OF_TEXT
  const bits = bytes.length * 8
  setWord(padded, length - LENGTH_BYTES, bits / 2 ** 32)
  setWord(padded, length - LENGTH_BYTES / 2, bits)
  for (let block = 0; block < length; block += BLOCK) step(state, padded, block)
}

function hashOf(state: Int32Array): Uint8Array {
  const hash = new Uint8Array(state.byteLength)
  for (let index = 0; index < state.length; index++) setWord(hash, index * 4, state[index]!)
  return hash
}

/** Takes one block into the state. */
function step(state: Int32Array, bytes: Uint8Array, at: number): void {
  for (let index = 0; index < BLOCK / 4; index++) words[index] = word(bytes, at + index * 4)
  for (let index = BLOCK / 4; index < ROUNDS; index++) {
    const early = words[index - 15]!
    const late = words[index - 2]!
    const fromEarly = turned(early, 7) ^ turned(early, 18) ^ (early >>> 3)
    const fromLate = turned(late, 17) ^ turned(late, 19) ^ (late >>> 10)
    words[index] = (words[index - 16]! + fromEarly + words[index - 7]! + fromLate) | 0
  }
  let a = state[0]!
  let b = state[1]!
  let c = state[2]!
  let d = state[3]!
  let e = state[4]!
  let f = state[5]!
  let g = state[6]!
  let h = state[7]!
  for (let index = 0; index < ROUNDS; index++) {
    const sumOfE = turned(e, 6) ^ turned(e, 11) ^ turned(e, 25)
    const sumOfA = turned(a, 2) ^ turned(a, 13) ^ turned(a, 22)
    const chosen = (e & f) ^ (~e & g)
    const major = (a & b) ^ (a & c) ^ (b & c)
    const first = (h + sumOfE + chosen + K[index]! + words[index]!) | 0
    h = g
    g = f
    f = e
    e = (d + first) | 0
    d = c
    c = b
    b = a
    a = (first + sumOfA + major) | 0
  }
  state[0]! += a
  state[1]! += b
  state[2]! += c
  state[3]! += d
  state[4]! += e
  state[5]! += f
  state[6]! += g
  state[7]! += h
}

function turned(value: number, bits: number): number {
  return (value >>> bits) | (value << (32 - bits))
}

function word(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!
}

function setWord(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24
  bytes[at + 1] = value >>> 16
  bytes[at + 2] = value >>> 8
  bytes[at + 3] = value
}

/** The first prime numbers. */
function primes(count: number): number[] {
  const found: number[] = []
  for (let number = 2; found.length < count; number++) {
    if (found.every((prime) => number % prime !== 0)) found.push(number)
  }
  return found
}

function fraction(value: number): number {
  return ((value % 1) * 2 ** 32) | 0
}
