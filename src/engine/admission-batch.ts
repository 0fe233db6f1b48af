import type { Core } from "./core.js"
import type { KeySet } from "./key-set.js"

/** So many admissions are made in one call. */
const MAX_ADMISSIONS = 512
/** Bytes of an admission: its time, where its key lies, its cost. */
const TIME = 8
const SPAN = 8
const COST = 4
/** A hash reads so far past a key. */
const PAST_KEYS = 16

/**
 * Admissions that were made before and are made again, in the core's memory: columns to be filled, in their order,
 * about keys that lie in bytes of the caller's.
 */
export class AdmissionBatch {
  readonly #core: Core
  readonly #size: number
  readonly #pointer: number
  readonly #columns: number
  /** The number that the caller has for the limit of all of them. */
  limit = 0
  /** The earliest and the last of their times. */
  earliestMs = 0
  lastMs = 0
  /*
   * The columns: as many places in each as fit into a batch.
   */
  /** When each was charged, ms since the epoch. */
  times!: Float64Array
  /** Where key i lies in the bytes: from `spans[2i]` to `spans[2i + 1]`. */
  spans!: Uint32Array
  /** What each costs, 0 … 2^31; after `admit` 1 where the key is new in its set, else 0. */
  costs!: Uint32Array

  /** @throws {RangeError} where the core's memory is full */
  constructor(core: Core, keys: Uint8Array) {
    this.#core = core
    const keyBytes = (keys.length + PAST_KEYS + 7) & ~7
    // Batches of about the same size get the same block: memory that was not used before costs more.
    this.#size = 2 ** Math.ceil(Math.log2(keyBytes + MAX_ADMISSIONS * (TIME + SPAN + COST)))
    this.#pointer = core.takeMemoryBlock(this.#size)
    this.#columns = this.#pointer + keyBytes
    core.bytes.set(keys, this.#pointer)
    this.begin()
  }

  get #spansAt(): number {
    return this.#columns + MAX_ADMISSIONS * TIME
  }

  get #costsAt(): number {
    return this.#spansAt + MAX_ADMISSIONS * SPAN
  }

  /**
   * Makes the columns ready to be filled, up to the next call of the core: it may have more memory since, and they
   * none.
   */
  begin(): void {
    const { buffer } = this.#core.bytes
    if (this.costs?.buffer === buffer) return
    this.times = new Float64Array(buffer, this.#columns, MAX_ADMISSIONS)
    this.spans = new Uint32Array(buffer, this.#spansAt, 2 * MAX_ADMISSIONS)
    this.costs = new Uint32Array(buffer, this.#costsAt, MAX_ADMISSIONS)
  }

  /**
   * Makes the first `count` of them in a limit of the core's, until one is denied.
   *
   * @param keySet takes their keys
   * @returns how many were admitted
   */
  admit(limit: number, count: number, keySet: KeySet): number {
    const admitted = this.#core.exports.admitMany(
      limit,
      this.#pointer,
      this.#spansAt,
      this.#costsAt,
      this.#columns,
      count,
      keySet.pointer,
    )
    this.begin()
    return admitted
  }

  /** Gives the memory back. Nothing may be asked afterwards. */
  free(): void {
    this.#core.exports.memoryGive(this.#pointer, this.#size)
  }
}
