import { SAVED, type SavedKind } from "../engine/saved-cells.js"
import { ByteReader } from "./byte-reader.js"
import { ChargeChunk } from "./charge-chunk.js"
import type { LedgerState } from "./ledger-state.js"
import type { OwnLimit } from "./own-limit.js"
import { PIECE, readAdmission } from "./saved-limit.js"
import type { StateSave } from "./state-save.js"

/** So much is saved, or looked at, in one step. */
const STEP_BYTES = 32_768
const CELL_KINDS = Object.values(SAVED)

/**
 * Compares everything that two states hold and the log repeats, idle or not, in steps that yield how many bytes each
 * went through. Cells lie in the order of their tables, which equal histories do not make the same, and admissions are
 * told in an order that depends on what came meanwhile: theirs is the order of their charges. All else is in the same
 * order.
 *
 * @param save what the one was when `saveAll` began it, all of which is gone through; it may change meanwhile
 * @param other holds still meanwhile
 * @returns whether both are the same, bit for bit; `null` where there was no memory to tell
 */
export function* compareStates(save: StateSave, other: LedgerState): Generator<number, boolean | null> {
  const comparison = new StateComparison(other)
  while (!save.isDone) {
    save.work(STEP_BYTES, Number.POSITIVE_INFINITY)
    yield* comparison.read(save.next(Number.POSITIVE_INFINITY))
  }
  return save.isLost ? null : yield* comparison.end()
}

/** What one state has told, beside what another holds. */
class StateComparison {
  readonly #state: LedgerState
  readonly #limits = new Map<number, LimitComparison>()
  #hasHead = false
  #isSame = true

  constructor(state: LedgerState) {
    this.#state = state
  }

  /** Compares whole pieces: a change of a policy has many of them saved at once. */
  *read(bytes: Uint8Array): Generator<number, void> {
    const reader = new ByteReader(bytes)
    if (!this.#hasHead) this.#isSame = this.#compareHead(reader)
    this.#hasHead = true
    while (this.#isSame && !reader.atEnd) {
      const before = reader.at
      this.#isSame = this.#comparePiece(reader)
      yield reader.at - before
    }
  }

  #compareHead(reader: ByteReader): boolean {
    const { timeMs, sync, numbers, chargesAfter } = this.#state
    const isSameTime = reader.f64() === timeMs
    return [sync, numbers, chargesAfter].every((value) => reader.varint() === value) && isSameTime
  }

  #comparePiece(reader: ByteReader): boolean {
    const kind = reader.u8()
    const number = reader.varint()
    let limit = this.#limits.get(number)
    if (limit === undefined) {
      const own = this.#state.limitAt(number)
      if (own === undefined) return false
      limit = new LimitComparison(own)
      this.#limits.set(number, limit)
    }
    return limit.comparePiece(kind, reader)
  }

  /** Whether all was told that the state holds; `null` where there is no memory to tell. */
  *end(): Generator<number, boolean | null> {
    if (!this.#isSame || this.#limits.size !== this.#state.limits.length) return false
    for (const limit of this.#limits.values()) {
      const isAll = yield* limit.end()
      if (isAll !== true) return isAll
    }
    return true
  }
}

class LimitComparison {
  readonly #limit: OwnLimit
  readonly #receipts: Iterator<ChargeChunk, undefined>
  readonly #resets: Iterator<readonly [key: string, chargeNumber: number, timeMs: number], undefined>
  readonly #names: Iterator<string, undefined>
  readonly #ahead: Iterator<[key: string, units: number], undefined>
  #admissions = 0
  /** Bytes of the cells of each kind. */
  readonly #cells = CELL_KINDS.map(() => 0)

  constructor(limit: OwnLimit) {
    this.#limit = limit
    this.#receipts = limit.receipts.chunks[Symbol.iterator]()
    this.#resets = limit.receipts.resets.entries()[Symbol.iterator]()
    this.#names = limit.names[Symbol.iterator]()
    this.#ahead = (limit.ahead ?? new Map<string, number>()).entries()
  }

  comparePiece(kind: number, reader: ByteReader): boolean {
    switch (kind) {
      case PIECE.limit:
        return this.#compareLimit(reader)
      case PIECE.receipts:
        return this.#receipts.next().value?.isSame(ChargeChunk.read(reader)) === true
      case PIECE.resets:
        return this.#compareNext(this.#resets, reader, () => [reader.text(), reader.varint(), reader.f64()])
      case PIECE.names:
        return this.#compareNext(this.#names, reader, () => [reader.text()])
      case PIECE.ahead:
        return this.#compareNext(this.#ahead, reader, () => [reader.text(), reader.varint()])
      case PIECE.admission: {
        const admission = readAdmission(reader)
        this.#admissions += 1
        return this.#limit.admissionsLike(admission.id).holds(admission)
      }
      default:
        return this.#compareCells((kind - PIECE.cells) as SavedKind, reader.block())
    }
  }

  #compareLimit(reader: ByteReader): boolean {
    const { name, policy, receipts, gaps } = this.#limit
    if (reader.text() !== name || reader.text() !== policy.canonical) return false
    let before = 0
    const numbers = [this.#limit.openKeys().charges, receipts.closedBeforeMs, gaps.all.length]
    for (const { after, through } of gaps.all) {
      numbers.push(after - before, through - after)
      before = through
    }
    return numbers.every((value) => reader.varint() === value)
  }

  /** Whether so many as are told follow here too. */
  #compareNext(
    held: Iterator<string | readonly (string | number)[], undefined>,
    reader: ByteReader,
    read: () => readonly (string | number)[],
  ): boolean {
    for (let left = reader.varint(); left > 0; left--) {
      const told = read()
      const { value } = held.next()
      const fields = typeof value === "string" ? [value] : value
      if (fields === undefined || told.some((field, index) => field !== fields[index])) return false
    }
    return true
  }

  #compareCells(kind: SavedKind, cells: Uint8Array): boolean {
    this.#cells[kind]! += cells.length
    return this.#limit.openKeys().hasCells(kind, cells)
  }

  /** Whether all was told that the limit holds: what was told is here, so that what is here must be as much. */
  *end(): Generator<number, boolean | null> {
    const { admissions, internalAdmissions } = this.#limit
    if (this.#admissions !== admissions.size + internalAdmissions.size) return false
    const left = [this.#receipts, this.#resets, this.#names, this.#ahead]
    if (left.some((held) => held.next().done !== true)) return false
    return yield* this.#compareCellBytes()
  }

  *#compareCellBytes(): Generator<number, boolean | null> {
    const keys = this.#limit.openKeys()
    const bytes = CELL_KINDS.map(() => 0)
    keys.beginSave({ idleAtMs: -1, statsSinceMs: 0 })
    for (let hasMore = true; hasMore; ) {
      hasMore = keys.saveMore(STEP_BYTES)
      for (let taken = keys.takeSaved(); taken !== null; taken = keys.takeSaved()) {
        bytes[taken.kind]! += taken.cells.length
      }
      yield STEP_BYTES
    }
    return keys.endSave() ? bytes.every((count, kind) => count === this.#cells[kind]) : null
  }
}
