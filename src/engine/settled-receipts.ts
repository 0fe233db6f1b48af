import type { Receipt } from "../types/receipt.js"
import { ClosedReceipts } from "./closed-receipts.js"

const FIRST_PRUNE = 1_024
/** The most that are held at a time. */
export const MAX_SETTLED = 2 ** 18
/**
 * The most that a prune leaves: looking at all of them is paid for by as many settlements as there is room for then.
 */
const MAX_LEFT = (MAX_SETTLED * 3) / 4

/** A receipt, as far as it is noted. */
type Noted = Pick<Receipt, "id" | "chargedAtMs">

/**
 * The receipts that were settled, so that none settles twice. Held for as long as they could be settled; of too many
 * the oldest charges are dropped before, and all of their time stay closed: that is stricter than it should be, never
 * looser.
 */
export class SettledReceipts extends ClosedReceipts<Noted> {
  /** The times of their charges by their ids. Made with the first one: most limits of many settle nothing. */
  #byId: Map<string, number> | null = null
  #pruneAt = FIRST_PRUNE

  override add(receipt: Noted, nowMs: number, keepMs: number): boolean {
    if (!this.isOpen(receipt, nowMs, keepMs)) return false
    this.restore(receipt.id, receipt.chargedAtMs)
    if (this.#byId!.size >= this.#pruneAt) this.prune(nowMs, keepMs)
    return true
  }

  protected override isSettled({ id }: Noted): boolean {
    return this.#byId?.has(id) ?? false
  }

  /** Every receipt that was settled and not dropped, with the time of its charge. */
  entries(): [id: string, chargedAtMs: number][] {
    return [...(this.#byId ?? [])]
  }

  /** Puts a receipt back that was settled before. */
  restore(id: string, chargedAtMs: number): void {
    this.#byId ??= new Map()
    this.#byId.set(id, chargedAtMs)
  }

  /**
   * Drops those that are too old at `nowMs`, then the oldest until there is room, and keeps all of their time closed.
   */
  prune(nowMs: number, keepMs: number): void {
    const byId = this.#byId
    if (byId === null) return
    this.#drop((chargedAtMs) => chargedAtMs + keepMs < nowMs)
    if (byId.size > MAX_LEFT) {
      const times = Float64Array.from(byId.values()).sort()
      const latestMs = times[byId.size - MAX_LEFT - 1]!
      this.#drop((chargedAtMs) => chargedAtMs <= latestMs)
    }
    this.#pruneAt = Math.min(Math.max(FIRST_PRUNE, byId.size * 2), MAX_SETTLED)
  }

  #drop(isDropped: (chargedAtMs: number) => boolean): void {
    for (const [id, chargedAtMs] of this.#byId!) {
      if (!isDropped(chargedAtMs)) continue
      this.#byId!.delete(id)
      this.closeBefore(chargedAtMs + 1)
    }
  }
}
