import type { SavedKind } from "../engine/saved-cells.js"
import { ByteWriter } from "./byte-writer.js"
import { sameBytes } from "./envelope.js"
import type { LedgerState } from "./ledger-state.js"

/**
 * Everything that a state holds and the log repeats, idle or not, to be compared with another one. Cells lie in the order
 * of their tables, which equal histories do not make the same; all else does.
 */
export class StateCopy {
  readonly #text: Uint8Array
  readonly #cells: readonly { readonly limit: number; readonly kind: SavedKind; readonly cells: Uint8Array }[]

  constructor(state: LedgerState) {
    this.#text = textOf(state)
    this.#cells = state.limits.flatMap((limit) =>
      limit
        .openKeys()
        .copyCells()
        .map((copy) => ({ limit: limit.number, ...copy })),
    )
  }

  /** Whether another state holds the same, bit for bit. */
  isOf(state: LedgerState): boolean {
    const other = new StateCopy(state)
    if (!sameBytes(this.#text, other.#text)) return false
    // As many bytes, and each of these cells among those.
    const bytes = this.#bytes()
    const others = other.#bytes()
    if (bytes.size !== others.size || [...bytes].some(([table, count]) => others.get(table) !== count)) return false
    return this.#cells.every(({ limit, kind, cells }) => state.limitAt(limit)!.openKeys().hasCells(kind, cells))
  }

  /** Bytes of the cells of each table. */
  #bytes(): Map<string, number> {
    const bytes = new Map<string, number>()
    for (const { limit, kind, cells } of this.#cells) {
      const table = `${limit} ${kind}`
      bytes.set(table, (bytes.get(table) ?? 0) + cells.length)
    }
    return bytes
  }
}

/** All but the cells. */
function textOf(state: LedgerState): Uint8Array {
  const writer = new ByteWriter()
  writer.f64(state.timeMs)
  writer.varint(state.sync)
  writer.varint(state.numbers)
  writer.varint(state.chargesAfter)
  for (const limit of state.limits) {
    const { number, name, policy, receipts, gaps, admissions, ownAdmissions, ahead, names } = limit
    writer.varint(number)
    writer.text(name)
    writer.text(policy.canonical)
    writer.varint(limit.openKeys().charges)
    writer.varint(receipts.closedBeforeMs)
    for (const { after, through } of gaps.all) {
      writer.varint(after)
      writer.varint(through)
    }
    for (const [id, chargedAtMs] of receipts.entries()) {
      writer.text(id)
      writer.f64(chargedAtMs)
    }
    for (const [key, charge, timeMs] of receipts.resets.entries()) {
      writer.text(key)
      writer.varint(charge)
      writer.f64(timeMs)
    }
    for (const { id, key, cost, charge, chargedAtMs } of [...admissions.entries(0), ...ownAdmissions.entries(0)]) {
      writer.text(id)
      writer.text(key)
      writer.varint(cost)
      writer.varint(charge)
      writer.f64(chargedAtMs)
    }
    for (const [key, units] of ahead ?? []) {
      writer.text(key)
      writer.varint(units)
    }
    for (const each of names) writer.text(each)
  }
  return writer.copy()
}
