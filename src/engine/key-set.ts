import type { Core } from "./core.js"

/**
 * Keys of one limit, by their hashes, in the core's memory: an `AdmissionBatch` tells which of its keys are new there.
 */
export class KeySet {
  readonly #core: Core
  /** What the core knows it by. */
  readonly pointer: number

  /** @throws {RangeError} where the core's memory is full */
  constructor(core: Core) {
    this.#core = core
    this.pointer = core.exports.keySetNew() >>> 0
    if (this.pointer === 0) throw new RangeError("Cannot make a set of keys: the core's memory is full.")
  }

  /** Gives the memory back. Nothing may be asked afterwards. */
  free(): void {
    this.#core.exports.keySetFree(this.pointer)
  }
}
