import { StoreUnavailable } from "../types/errors.js"
import type { AdmissionBatch } from "./admission-batch.js"
import type { KeySet } from "./key-set.js"
import { Limit } from "./limit.js"
import { loadCells, type SavedKind } from "./saved-cells.js"
import { VERDICT_CHARGED_AT } from "./verdict-layout.js"

/** A block of saved cells begins with four u32: one of the core's own, then these. */
const BLOCK_KIND = 1
const BLOCK_USED = 2
const BLOCK_SIZE = 3
const BLOCK_HEAD = 16
/** Enough of a save to see whether there is anything. */
const LITTLE_BYTES = 4_096

/**
 * A limit whose changes are recorded: with what a ledger asks of it besides, apart so that a limiter in memory does not
 * ship it.
 */
export class RecordedLimit extends Limit {
  /** Without a bound it is the memory that is full: a replay that has more would admit the key, so it is not denied. */
  protected override requireBound(): void {
    if (this.options.onFull === "keep-all") throw memoryIsFull()
  }

  /** The time at which the last decision counts: that of its call, or a later one that its key had seen. */
  get decidedAtMs(): number {
    return this.core.verdict[VERDICT_CHARGED_AT]!
  }

  /** How often the core has moved a state back, of this limit or another one, since the clock was set back. */
  get heals(): number {
    return this.core.exports.healCount()
  }

  /** The time until which a key is blocked; it may be past, and is 0 where there is none. */
  blockedUntilMs(key: string): number {
    return this.core.exports.blockedUntil(this.pointer, this.core.stageKey(key))
  }

  /** Time until nothing is used of any key and no block lasts. Costs the number of keys. */
  fullAfterMs(nowMs: number): number {
    return this.core.exports.fullAfter(this.pointer, nowMs)
  }

  /** Counts denials in a key's statistics that were not asked one by one. */
  noteDenials(key: string, count: number, cost: number, lastMs: number): void {
    this.core.exports.noteDenials(this.pointer, this.core.stageKey(key), count, cost, lastMs)
  }

  /** Numbers as many charges as `check` would that were made by `allow`. */
  noteCharges(count: number): void {
    this.skipChargesTo(this.charges + count)
  }

  /**
   * Makes the first `count` admissions of a batch again, until one is denied. How many were; `seen` takes their keys.
   */
  admitAgain(batch: AdmissionBatch, count: number, seen: KeySet): number {
    const admitted = batch.admit(this.pointer, count, seen)
    this.noteCharges(admitted)
    return admitted
  }

  /**
   * Starts to save every cell as it is now, little by little, while this limit goes on being asked. It must have no
   * bound of keys.
   *
   * @param idleAtMs cells that are idle and blocks that have ended then are dropped; none where it is −1
   * @param statsSinceMs statistics that were counted last before then are dropped
   */
  beginSave({ idleAtMs, statsSinceMs }: { readonly idleAtMs: number; readonly statsSinceMs: number }): void {
    if (this.core.exports.saveBegin(this.pointer, idleAtMs, statsSinceMs) === 1) return
    throw new RangeError("Cannot save a limit: the core refused it.")
  }

  /**
   * Goes on with a save by about so many bytes. Whether there is more to come; `takeSaved` gives what was saved so far.
   */
  saveMore(bytes: number): boolean {
    return this.core.exports.saveMore(this.pointer, bytes) === 1
  }

  /** The next saved cells, one after the other, and how they are kept apart: a copy; `null` where none wait. */
  takeSaved(): { readonly kind: SavedKind; readonly cells: Uint8Array } | null {
    const block = this.core.exports.saveTake(this.pointer) >>> 0
    if (block === 0) return null
    const { bytes } = this.core
    const head = new Uint32Array(bytes.buffer, block, BLOCK_HEAD / 4)
    const cells = bytes.slice(block + BLOCK_HEAD, block + BLOCK_HEAD + head[BLOCK_USED]!)
    const kind = head[BLOCK_KIND] as SavedKind
    this.core.exports.memoryGive(block, head[BLOCK_SIZE]!)
    return { kind, cells }
  }

  /**
   * Ends a save, before its end too. Whether it is complete: it came to its end, and there was memory for every cell.
   */
  endSave(): boolean {
    return this.core.exports.saveEnd(this.pointer) === 1
  }

  /** Whether no cell is held: no quota that is used, or was when the last save began, no block and no statistics. */
  get holdsNothing(): boolean {
    if (this.size > 0) return false
    this.beginSave({ idleAtMs: -1, statsSinceMs: 0 })
    let saved = this.takeSaved()
    for (let hasMore = true; saved === null && hasMore; saved = this.takeSaved()) hasMore = this.saveMore(LITTLE_BYTES)
    // A save that had no memory for a cell gives none.
    return this.endSave() && saved === null
  }

  /** Every cell, as `takeSaved` tells them. @throws {StoreUnavailable} where there is no memory for all of them */
  copyCells(): { readonly kind: SavedKind; readonly cells: Uint8Array }[] {
    this.beginSave({ idleAtMs: -1, statsSinceMs: 0 })
    while (this.saveMore(2 ** 31 - 1));
    const copies = Array.from(untilNull(() => this.takeSaved()))
    if (!this.endSave()) throw memoryIsFull()
    return copies
  }

  /** `loadCells` for cells that `takeSaved` told. */
  load(kind: SavedKind, cells: Uint8Array): boolean {
    return loadCells(this.core, this.pointer, kind, cells)
  }

  /** Whether each of the cells that `takeSaved` told is here, bit for bit. */
  hasCells(kind: SavedKind, cells: Uint8Array): boolean {
    return this.core.withMemoryBlock(cells.length, (pointer) => {
      this.core.bytes.set(cells, pointer)
      return this.core.exports.hasCells(this.pointer, kind, pointer, cells.length) === 1
    })
  }
}

function memoryIsFull(): StoreUnavailable {
  return new StoreUnavailable("the memory for keys is full")
}

function* untilNull<T>(next: () => T | null): Generator<T, void, undefined> {
  for (let value = next(); value !== null; value = next()) yield value
}
