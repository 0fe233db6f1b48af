import type { CoreExports } from "../../src/engine/core-exports.js"
import type { CoreUnderTest } from "./core-case.js"

/** A rule as the ABI wants it, with N/P = limit/period in lowest terms. */
export interface CoreRule {
  readonly algorithm: number
  readonly capacity: number
  readonly unitsN: number
  readonly periodP: number
  readonly periodMs: number
  readonly offsetMs?: number
  readonly amount?: number
  readonly everyMs?: number
}

export interface CoreLimitOptions {
  readonly blockMs?: number
  readonly maxKeys?: number
  readonly onFull?: number
  readonly keepsStats?: number
  readonly seed?: readonly [number, number, number, number]
}

/** What the verdict buffer says. */
export interface Verdict {
  readonly retryAfterMs: number
  readonly delayMs: number
  readonly binding: number
  readonly chargedAtMs: number
  /** Per rule: remaining, retryAfterMs, resetAfterMs. */
  readonly rules: readonly (readonly [number, number, number])[]
}

/** What `checkUnit` said: remaining, retryAfterMs and resetAfterMs under one rule. */
export interface Unit {
  readonly outcome: number
  readonly isBrief: boolean
  readonly numbers: readonly number[]
}

const BRIEF = 8
const SEED = [0x01234567, 0x89abcdef, 0xfedcba98, 0x76543210] as const
const encoder = new TextEncoder()

/** 10 units per second, at most 10 at once: one unit is 100 ms. */
export const TEN_A_SECOND: CoreRule = { algorithm: 0, capacity: 10, unitsN: 1, periodP: 100, periodMs: 1_000 }

/** A host of the module that knows no more than docs/abi.md says; a view lives no longer than a call. */
export class CoreHost {
  readonly exports: CoreExports

  constructor(core: CoreUnderTest) {
    this.exports = core.instantiate()
  }

  /** Makes a limit. Returns its pointer, or 0. */
  limit(rules: readonly CoreRule[], options: CoreLimitOptions = {}): number {
    const { blockMs = 0, maxKeys = 1_000_000, onFull = 0, keepsStats = 0, seed = SEED } = options
    this.#doubles(this.exports.ruleBuffer(), 64).set(rules.flatMap(ruleNumbers))
    return this.exports.limitNew(rules.length, blockMs, maxKeys, onFull, keepsStats, ...seed)
  }

  /** Puts a key into the key buffer. Returns its length in bytes. */
  key(key: string | Uint8Array): number {
    const bytes = typeof key === "string" ? encoder.encode(key) : key
    this.bytes(this.exports.keyBuffer(), bytes.length).set(bytes)
    return bytes.length
  }

  check(limit: number, key: string | Uint8Array, cost: number, nowMs: number): number {
    return this.exports.check(limit, this.key(key), cost, nowMs)
  }

  peek(limit: number, key: string | Uint8Array, cost: number, nowMs: number): number {
    return this.exports.peek(limit, this.key(key), cost, nowMs)
  }

  charge(limit: number, key: string, units: number, nowMs: number): number {
    return this.exports.charge(limit, this.key(key), units, nowMs)
  }

  /** What the last `check` or `peek` said of a limit with so many rules. */
  verdict(ruleCount = 1): Verdict {
    const numbers = this.#doubles(this.exports.verdictBuffer(), 4 + 3 * ruleCount)
    const [retryAfterMs, delayMs, binding, chargedAtMs] = numbers as unknown as [number, number, number, number]
    const rules = Array.from({ length: ruleCount }, (_, index): [number, number, number] => {
      const at = 4 + 3 * index
      return [numbers[at]!, numbers[at + 1]!, numbers[at + 2]!]
    })
    return { retryAfterMs, delayMs, binding, chargedAtMs, rules }
  }

  /** `checkUnit`, or `checkUnitAgain` without a key: the outcome, and the rest however it was told. */
  checkUnit(limit: number, key: string | null, nowMs: number): Unit {
    const { exports } = this
    const outcome = key === null ? exports.checkUnitAgain(limit, nowMs) : exports.checkUnit(limit, this.key(key), nowMs)
    const isBrief = (outcome & BRIEF) !== 0
    if (!isBrief) return { outcome, isBrief, numbers: this.verdict().rules[0]! }
    const words = new BigInt64Array(exports.memory.buffer, exports.briefBuffer(), 3)
    return { outcome: outcome - BRIEF, isBrief, numbers: Array.from(words, Number) }
  }

  /** A key's statistics, or `null`. */
  stats(limit: number, key: string): readonly number[] | null {
    const pointer = this.exports.stats(limit, this.key(key))
    return pointer === 0 ? null : [...this.#doubles(pointer, 7)]
  }

  /** All cells of a kind that say something at a time. */
  save(limit: number, kind: number, nowMs: number): Uint8Array[] {
    const { exports } = this
    const room = 65_536
    const output = exports.memoryTake(room)
    const cells: Uint8Array[] = []
    exports.saveStart()
    for (let cell = exports.saveNext(limit, kind, nowMs); cell !== 0; cell = exports.saveNext(limit, kind, nowMs)) {
      const length = exports.saveCell(limit, kind, cell, output, room)
      if (length > room) throw new Error(`Expected a cell of at most ${room} bytes, it has ${length}.`)
      cells.push(this.bytes(output, length).slice())
    }
    exports.memoryGive(output, room)
    return cells
  }

  /** Puts a saved cell back. Returns what `loadCells` does. */
  load(limit: number, kind: number, cell: Uint8Array): number {
    const input = this.exports.memoryTake(cell.length)
    this.bytes(input, cell.length).set(cell)
    const loaded = this.exports.loadCells(limit, kind, input, cell.length)
    this.exports.memoryGive(input, cell.length)
    return loaded
  }

  bytes(pointer: number, length: number): Uint8Array {
    return new Uint8Array(this.exports.memory.buffer, pointer, length)
  }

  #doubles(pointer: number, length: number): Float64Array {
    return new Float64Array(this.exports.memory.buffer, pointer, length)
  }
}

/** A rule as its eight numbers in the rule buffer. */
function ruleNumbers(rule: CoreRule): number[] {
  const { algorithm, capacity, unitsN, periodP, periodMs, offsetMs = 0, amount = 0, everyMs = 0 } = rule
  return [algorithm, capacity, unitsN, periodP, periodMs, offsetMs, amount, everyMs]
}
