import { CELL_ROOM, Limit, type SavedKind } from "./limit.js"
import { LimitDecision } from "./limit-decision.js"

/** A limit whose changes are recorded: with what a ledger asks of it besides, apart so that a limiter in memory does not ship it. */
export class RecordedLimit extends Limit {
  /** The time at which the last decision counts: that of its call, or a later one that its key had seen. */
  get decidedAtMs(): number {
    return this.core.verdict[3]!
  }

  /** The time until which a key is blocked; it may be past, and is 0 where there is none. */
  blockedUntilMs(key: string): number {
    return this.core.exports.blockedUntil(this.pointer, this.core.stageKey(key))
  }

  /** Time until nothing is used of any key and no block lasts. Costs the number of keys. */
  fullAfterMs(nowMs: number): number {
    return this.core.exports.fullAfter(this.pointer, nowMs)
  }

  /** Tells an admission of before once more: charged then, the rest as the key stands now. Stores nothing. */
  again(
    key: string,
    { cost, charge, chargedAtMs }: { readonly cost: number; readonly charge: number; readonly chargedAtMs: number },
    nowMs: number,
  ): LimitDecision {
    const { policy, algorithm, limit, remaining, resetAfterMs, rules } = this.peek(key, 0, nowMs)
    const rule = { name: policy, algorithm, limit }
    const { issuer } = this
    const decision = new LimitDecision(
      "ok",
      key,
      rule,
      remaining,
      cost,
      0,
      resetAfterMs,
      0,
      issuer,
      charge,
      chargedAtMs,
    )
    return rules === undefined ? decision : Object.assign(decision, { rules })
  }

  /** Counts denials in a key's statistics that were not asked one by one. */
  noteDenials(key: string, count: number, cost: number, lastMs: number): void {
    this.core.exports.noteDenials(this.pointer, this.core.stageKey(key), count, cost, lastMs)
  }

  /** Every cell that says something at `nowMs`, as bytes without a pointer in them, in no order. */
  save(kind: SavedKind, nowMs: number): Uint8Array[] {
    const cells: Uint8Array[] = []
    this.saveEach(kind, nowMs, (cell) => cells.push(cell.slice()))
    return cells
  }

  /** As `save`, without a copy of each: the bytes that `use` gets are others when it has returned. */
  saveEach(kind: SavedKind, nowMs: number, use: (cell: Uint8Array) => void): void {
    let cell: Uint8Array = new Uint8Array()
    this.eachSaved(kind, nowMs, (at, bytes) => {
      const { buffer } = this.core.bytes
      // Nearly all cells are as long as the one before.
      if (cell.length !== bytes || cell.byteOffset !== at || cell.buffer !== buffer) {
        cell = new Uint8Array(buffer, at, bytes)
      }
      use(cell)
    })
  }

  /** Puts so many saved cells back, as `load` does. False where one cannot be; then those before it are there. */
  loadEach(kind: SavedKind, count: number, next: () => Uint8Array): boolean {
    return this.core.withBlock(CELL_ROOM, (pointer) => {
      for (let left = count; left > 0; left--) {
        const cell = next()
        if (cell.length > CELL_ROOM) {
          if (!this.load(kind, cell)) return false
          continue
        }
        this.core.bytes.set(cell, pointer)
        if (this.core.exports.loadCell(this.pointer, kind, pointer, cell.length) !== 1) return false
      }
      return true
    })
  }
}
