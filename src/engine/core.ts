import module from "#core"
import { ABI_VERSION, type CoreExports, MAX_KEY_BYTES, OUTCOME } from "./core-exports.js"
import { writeKey } from "./key-bytes.js"
import { type KeyStager, makeKeyStager } from "./key-stager.js"
import { BRIEF_WORDS, VERDICT_RULE_SIZE, VERDICT_RULES } from "./verdict-layout.js"

const MAX_SCRATCH = 65_536
/** After a key that was not the one before, so many checks are not compared: most that come in turn all differ. */
const UNCOMPARED = 15

/**
 * One instance of the WebAssembly core and the only owner of its memory. Growing memory detaches every view of it, so
 * views are made anew here and nobody else keeps one across a call.
 */
export class Core {
  declare readonly exports: CoreExports
  readonly #keyAt: number
  readonly #verdictAt: number
  readonly #briefAt: number
  readonly #ruleAt: number
  readonly #stager: KeyStager | null
  /** The key of the last `checkUnit`. */
  #checkedKey = ""
  /** So many checks are not compared with it; at least one where the key buffer holds another key. */
  #uncompared = 1
  #scratchAt = 0
  #scratchSize = 0
  #bytes!: Uint8Array
  #keyView!: Uint8Array
  #verdict!: Float64Array
  #brief!: Int32Array

  constructor() {
    // The module imports nothing, and its exports are what assembly/index.ts says.
    this.exports = new WebAssembly.Instance(module).exports as unknown as CoreExports
    if (this.exports.ABI_VERSION.value !== ABI_VERSION) {
      throw new Error(`core.wasm speaks ABI ${this.exports.ABI_VERSION.value}, this host ${ABI_VERSION}`)
    }
    this.#keyAt = this.exports.keyBuffer()
    this.#verdictAt = this.exports.verdictBuffer()
    this.#briefAt = this.exports.briefBuffer()
    this.#ruleAt = this.exports.ruleBuffer()
    this.#stager = makeKeyStager(this.exports.memory)
    this.#renewViews()
  }

  #renewViews(): void {
    const { buffer } = this.exports.memory
    this.#bytes = new Uint8Array(buffer)
    this.#keyView = new Uint8Array(buffer, this.#keyAt, MAX_KEY_BYTES)
    const verdictSize = VERDICT_RULES + this.exports.MAX_RULES.value * VERDICT_RULE_SIZE
    this.#verdict = new Float64Array(buffer, this.#verdictAt, verdictSize)
    this.#brief = new Int32Array(buffer, this.#briefAt, BRIEF_WORDS)
  }

  /** All of the memory, valid until the next call into the core. */
  get bytes(): Uint8Array {
    if (this.#bytes.length === 0) this.#renewViews()
    return this.#bytes
  }

  /** What the last decision said, valid until the next call into the core. */
  get verdict(): Float64Array {
    if (this.#verdict.length === 0) this.#renewViews()
    return this.#verdict
  }

  /** What the last `checkUnit` said in short: at 0 remaining, at 2 retryAfterMs, at 4 resetAfterMs. */
  get brief(): Int32Array {
    if (this.#brief.length === 0) this.#renewViews()
    return this.#brief
  }

  /** The buffer for the rules of a new limit, `RULE_FIELDS` numbers each. */
  get ruleFields(): Float64Array {
    const { memory, MAX_RULES, RULE_FIELDS } = this.exports
    return new Float64Array(memory.buffer, this.#ruleAt, MAX_RULES.value * RULE_FIELDS.value)
  }

  /**
   * Puts a key's UTF-8 into the key buffer.
   *
   * @returns its length in bytes, 1 … 512
   * @throws {KeyError} where the key is no string, empty, too long or not well-formed Unicode
   */
  stageKey(key: string): number {
    this.#uncompared ||= 1
    if (this.#stager !== null && typeof key === "string") {
      const length = this.#stager(key, this.#keyAt, MAX_KEY_BYTES)
      if (length > 0) return length
    }
    if (this.#keyView.length === 0) this.#renewViews()
    return writeKey(key, this.#keyView)
  }

  /**
   * Asks and charges one unit. A key that comes again right away is not written, hashed and looked for again.
   *
   * @returns an outcome; with `BRIEF` added to it where `brief` tells the rest, else `verdict` does
   * @throws {KeyError} as `stageKey`
   */
  checkUnit(limit: number, key: string, nowMs: number): number {
    return this.#uncompared === 0 && key === this.#checkedKey
      ? this.exports.checkUnitAgain(limit, nowMs)
      : this.#checkAnother(limit, key, nowMs)
  }

  #checkAnother(limit: number, key: string, nowMs: number): number {
    const uncompared = this.#uncompared === 0 ? UNCOMPARED : this.#uncompared - 1
    const outcome = this.exports.checkUnit(limit, this.stageKey(key), nowMs)
    if (outcome === OUTCOME.badArgument) return outcome
    this.#checkedKey = key
    this.#uncompared = uncompared
    return outcome
  }

  /**
   * Runs `use` with a block of memory that holds anything. A small one is kept for the next time: most batches are
   * about as large as the one before.
   */
  withScratch<T>(size: number, use: (pointer: number) => T): T {
    if (size > MAX_SCRATCH) return this.withMemoryBlock(size, use)
    if (size > this.#scratchSize) {
      const grown = 2 ** Math.ceil(Math.log2(size))
      const pointer = this.exports.memoryTake(grown) >>> 0
      if (pointer === 0) return this.withMemoryBlock(size, use)
      this.exports.memoryGive(this.#scratchAt, this.#scratchSize)
      this.#scratchAt = pointer
      this.#scratchSize = grown
    }
    return use(this.#scratchAt)
  }

  /** A zeroed block of memory, to be given back. @throws {RangeError} where there is none */
  takeMemoryBlock(size: number): number {
    const pointer = this.exports.memoryTake(size) >>> 0
    if (pointer === 0) throw new RangeError(`Cannot take ${size} bytes: the core's memory is full.`)
    return pointer
  }

  /** Runs `use` with a zeroed block of memory, which is taken back afterwards. */
  withMemoryBlock<T>(size: number, use: (pointer: number) => T): T {
    const pointer = this.takeMemoryBlock(size)
    try {
      return use(pointer)
    } finally {
      this.exports.memoryGive(pointer, size)
    }
  }
}
