import { maximumCost } from "../policy/maximum-cost.js"
import type { LogWriter } from "./log-writer.js"
import type { LedgerLimit } from "./own-limit.js"

const FIRST_UNITS = 16
/** The largest block is this share of what a key may use at once. */
const LARGEST_SHARE = 10

/** How many units of a key may be told beyond the file. */
interface Block {
  /** Counts once the write `levelWrite` is made; until then `levelBefore` does. */
  level: number
  levelBefore: number
  levelWrite: number
  /** The largest level so far, which a block starts with when it is needed again. */
  size: number
  /** Units that the write `write` will bring to the file. */
  units: number
  write: number
  /** The same of the write before it that drew on the block: until that is made, they are not in the file either. */
  unitsBefore: number
  writeBefore: number
}

/** What a block without use begins with. */
const UNDRAWN = { size: 0, units: 0, write: 0, unitsBefore: 0, writeBefore: 0 }

/** What a draw found. */
export type Draw = "covered" | "low" | "uncovered"

/**
 * The blocks of units that the log grants ahead of their use. While the units of a key that were told but are not in
 * the file stay within its block, an answer need not wait: after a crash the whole block counts as used.
 */
export class AheadBlocks {
  readonly #writer: LogWriter
  readonly #fixedUnits: number | null
  #blocks = new Map<LedgerLimit, Map<string, Block>>()
  /** Those that nobody drew from since all were taken back. */
  #undrawn = new Map<LedgerLimit, Map<string, Block>>()

  /** @param units of every block; `null` to let each grow with its key's use */
  constructor(writer: LogWriter, units: number | null) {
    this.#writer = writer
    this.#fixedUnits = units
  }

  /**
   * Draws the units of an admission whose record was just appended.
   *
   * @param grant asked to append a record of a larger block, where one is needed
   */
  draw(limit: LedgerLimit, key: string, cost: number, grant: (units: number) => void): Draw {
    const block = this.#blockOf(limit, key)
    const { made, writeOfNext } = this.#writer
    if (block.write !== writeOfNext) {
      block.unitsBefore = block.units
      block.writeBefore = block.write
      block.units = 0
      block.write = writeOfNext
    }
    block.units += cost
    const units = made < block.writeBefore ? block.units + block.unitsBefore : block.units
    const isGranted = made >= block.levelWrite
    const level = isGranted ? block.level : block.levelBefore
    if (units * 2 <= level) return "covered"
    // Half of it went before the records were due to be written: with a larger one they are written less often.
    if (isGranted) this.#raise(block, limit, grant)
    return units <= level ? "low" : "uncovered"
  }

  #blockOf(limit: LedgerLimit, key: string): Block {
    let blocks = this.#blocks.get(limit)
    if (blocks === undefined) {
      blocks = new Map()
      this.#blocks.set(limit, blocks)
    }
    let block = blocks.get(key)
    if (block === undefined) {
      const known = this.#undrawn.get(limit)?.get(key)
      // What was told and is not in the file counts on; what was granted for it does not.
      block = { ...UNDRAWN, ...known, level: 0, levelBefore: 0, levelWrite: 0 }
      blocks.set(key, block)
    }
    return block
  }

  #raise(block: Block, limit: LedgerLimit, grant: (units: number) => void): void {
    const next = this.#nextLevel(block, limit)
    if (next <= block.level) return
    block.levelBefore = block.level
    block.level = next
    block.size = next
    block.levelWrite = this.#writer.writeOfNext
    grant(next)
  }

  #nextLevel({ level, size }: Block, limit: LedgerLimit): number {
    if (this.#fixedUnits !== null) return this.#fixedUnits
    return Math.min(this.#largest(limit), level === 0 ? Math.max(size, FIRST_UNITS) : level * 2)
  }

  /** The most units of a block under the limit's policy. */
  #largest({ policy }: LedgerLimit): number {
    if (this.#fixedUnits !== null) return this.#fixedUnits
    return Math.max(1, Math.floor(maximumCost(policy.rules) / LARGEST_SHARE))
  }

  /**
   * Makes the blocks of a limit that got another policy as small as that one has them.
   *
   * @param grant asked to append a record of a smaller block; what was told before is in the file together with it
   */
  shrink(limit: LedgerLimit, grant: (key: string, units: number) => void): void {
    const largest = this.#largest(limit)
    for (const [key, block] of this.#blocks.get(limit) ?? []) {
      if (block.level <= largest) continue
      block.level = largest
      // At once: what is told from here on is not in the file with that record.
      block.levelBefore = Math.min(block.levelBefore, largest)
      block.size = largest
      grant(key, largest)
    }
  }

  /** Every block was taken back. Those that nobody drew from since the last time are forgotten. */
  restart(): void {
    this.#undrawn = this.#blocks
    this.#blocks = new Map()
  }
}
