import { maximumCost } from "../policy/maximum-cost.js"
import type { LogWriter } from "./log-writer.js"
import type { LedgerLimit } from "./own-limit.js"

const FIRST_UNITS = 64
/** The largest block is this share of what a key may use at once. */
const LARGEST_SHARE = 10

/** How many units of a key may be told beyond the file. */
interface Block {
  /** Counts once the write `levelWrite` is made; until then `levelBefore` does. 0 where nothing is granted. */
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
  /** How often all blocks had been taken back when this one was last looked at. */
  restarts: number
}

const NOT_GRANTED = { level: 0, levelBefore: 0, levelWrite: 0 }

/** What a draw found. */
export type Draw = "covered" | "low" | "uncovered"

type Blocks = Map<LedgerLimit, Map<string, Block>>

/** A key whose block is to be taken back. */
export type IdleKey = readonly [limit: LedgerLimit, key: string]

/**
 * The blocks of units that the log grants ahead of their use. While the units of a key that were told but are not in
 * the file stay within its block, an answer need not wait: after a crash the whole block counts as used.
 *
 * So a block is granted to a key that is asked again and again, and taken back when it is not: whoever is asked now and
 * then, by a process that ends in between, would lose one each time.
 */
export class AheadBlocks {
  readonly #writer: LogWriter
  readonly #fixedUnits: number | null
  /** Of the keys of which something was admitted since the last look for idle ones, and of those that were not since. */
  #recent: Blocks = new Map()
  #older: Blocks = new Map()
  #restarts = 0
  #granted = 0

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
    const known = this.#find(limit, key)
    const block = this.#current(known ?? this.#add(limit, key))
    const { made, writeOfNext } = this.#writer
    if (block.write !== writeOfNext) {
      block.unitsBefore = block.units
      block.writeBefore = block.write
      block.units = 0
      block.write = writeOfNext
    }
    block.units += cost
    // Perhaps nobody asks for it again.
    if (known === null) return "uncovered"
    const units = made < block.writeBefore ? block.units + block.unitsBefore : block.units
    const isGranted = made >= block.levelWrite
    const level = isGranted ? block.level : block.levelBefore
    if (units * 2 <= level) return "covered"
    // Half of it went before the records were due to be written: with a larger one they are written less often.
    if (isGranted) this.#raise(block, limit, grant)
    return units <= level ? "low" : "uncovered"
  }

  #find(limit: LedgerLimit, key: string): Block | null {
    const recent = this.#recent.get(limit)?.get(key)
    if (recent !== undefined) return recent
    const older = this.#older.get(limit)
    const block = older?.get(key)
    if (block === undefined) return null
    older!.delete(key)
    this.#keep(limit, key, block)
    return block
  }

  #add(limit: LedgerLimit, key: string): Block {
    const drawn = { size: 0, units: 0, write: 0, unitsBefore: 0, writeBefore: 0 }
    const block = { ...NOT_GRANTED, ...drawn, restarts: this.#restarts }
    this.#keep(limit, key, block)
    return block
  }

  /** A block as it is since all were taken back. What was told and is not in the file counts on. */
  #current(block: Block): Block {
    if (block.restarts !== this.#restarts) Object.assign(block, NOT_GRANTED, { restarts: this.#restarts })
    return block
  }

  #keep(limit: LedgerLimit, key: string, block: Block): void {
    const blocks = this.#recent.get(limit)
    if (blocks === undefined) this.#recent.set(limit, new Map([[key, block]]))
    else blocks.set(key, block)
  }

  #raise(block: Block, limit: LedgerLimit, grant: (units: number) => void): void {
    const next = this.#nextLevel(block, limit)
    if (next <= block.level) return
    if (block.level === 0) this.#granted += 1
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
    for (const blocks of [this.#recent, this.#older]) {
      for (const [key, block] of blocks.get(limit) ?? []) {
        if (this.#current(block).level <= largest) continue
        block.level = largest
        // At once: what is told from here on is not in the file with that record.
        block.levelBefore = Math.min(block.levelBefore, largest)
        block.size = largest
        grant(key, largest)
      }
    }
  }

  /**
   * Forgets keys of which nothing was admitted since the last time that there were no more.
   *
   * @param most how many are looked at
   * @returns those of them that have a block, which the log is to take back; and whether there are more to look at
   */
  forgetIdle(most: number): { readonly idle: readonly IdleKey[]; readonly hasMore: boolean } {
    const idle: IdleKey[] = []
    let left = most
    for (const [limit, blocks] of this.#older) {
      for (const [key, block] of blocks) {
        if (left === 0) return { idle: this.#takenBack(idle), hasMore: true }
        left -= 1
        blocks.delete(key)
        if (this.#current(block).level > 0) idle.push([limit, key])
      }
      this.#older.delete(limit)
    }
    this.#older = this.#recent
    this.#recent = new Map()
    return { idle: this.#takenBack(idle), hasMore: false }
  }

  #takenBack(idle: readonly IdleKey[]): readonly IdleKey[] {
    this.#granted -= idle.length
    return idle
  }

  /** Whether no key is known: then none can become idle. */
  get isEmpty(): boolean {
    return this.#recent.size === 0 && this.#older.size === 0
  }

  /** Whether any key has a block. */
  get hasGranted(): boolean {
    return this.#granted > 0
  }

  /** Every block was taken back. */
  restart(): void {
    this.#restarts += 1
    this.#granted = 0
  }
}
