import type { Receipt } from "../types/receipt.js"
import { ResetKeys } from "./reset-keys.js"

const FIRST_PRUNE = 1_024
/** The most that are held at a time. */
export const MOST_SETTLED = 2 ** 18
/** The most that a prune leaves: looking at all of them is paid for by as many settlements as there is room for then. */
const MOST_LEFT = (MOST_SETTLED * 3) / 4

/** A receipt, as far as it is noted. */
type Noted = Pick<Receipt, "id" | "chargedAtMs">

/**
 * The receipts that were settled, so that none settles twice. Held for as long as they could be settled; of too many the
 * oldest charges are dropped before, and all of their time stay closed: that is stricter than it should be, never looser.
 */
export class SettledReceipts {
  /** The times of their charges by their ids. Made with the first one: most limits of many settle nothing. */
  protected byId: Map<string, number> | null = null
  /** The keys whose receipts were closed by a reset. */
  readonly resets = new ResetKeys()
  #closedBeforeMs = 0
  #pruneAt = FIRST_PRUNE

  /** Receipts that were charged before stay closed, even where a longer policy would take them: those may be dropped. */
  get closedBeforeMs(): number {
    return this.#closedBeforeMs
  }

  /** From now on no receipt of before a time can be settled. */
  closeBefore(timeMs: number): void {
    this.#closedBeforeMs = Math.max(this.#closedBeforeMs, timeMs)
  }

  /**
   * Whether a receipt can be settled: it was not before, and is not too old.
   *
   * @param keepMs `settleWithinMs` of the policy
   */
  isOpen(receipt: Noted, nowMs: number, keepMs: number): boolean {
    return receipt.chargedAtMs + keepMs >= nowMs && !this.mayBeSettled(receipt)
  }

  /** Whether a receipt was settled, as far as that is known: one of a time that is closed may have been. */
  mayBeSettled({ id, chargedAtMs }: Noted): boolean {
    return chargedAtMs < this.#closedBeforeMs || this.has(id)
  }

  /** Notes a receipt. Whether it was open. */
  add(receipt: Noted, nowMs: number, keepMs: number): boolean {
    if (!this.isOpen(receipt, nowMs, keepMs)) return false
    this.restore(receipt.id, receipt.chargedAtMs)
    if (this.byId!.size >= this.#pruneAt) this.prune(nowMs, keepMs)
    return true
  }

  has(receiptId: string): boolean {
    return this.byId?.has(receiptId) ?? false
  }

  /** Every receipt that was settled and not dropped, with the time of its charge. */
  entries(): [id: string, chargedAtMs: number][] {
    return [...(this.byId ?? [])]
  }

  /** Puts a receipt back that was settled before. */
  restore(id: string, chargedAtMs: number): void {
    this.byId ??= new Map()
    this.byId.set(id, chargedAtMs)
  }

  /**
   * Forgets resets of before every receipt that can be settled at `nowMs`, but for the last `least`, and the first of too
   * many. What was charged before them stays closed.
   */
  forgetResets(nowMs: number, keepMs: number, least = 0): void {
    this.resets.forgetBefore(nowMs - keepMs, least)
  }

  /** Drops those that are too old at `nowMs`, then the oldest until there is room, and keeps all of their time closed. */
  prune(nowMs: number, keepMs: number): void {
    const { byId } = this
    if (byId === null) return
    this.#drop((chargedAtMs) => chargedAtMs + keepMs < nowMs)
    if (byId.size > MOST_LEFT) {
      const times = Float64Array.from(byId.values()).sort()
      const latestMs = times[byId.size - MOST_LEFT - 1]!
      this.#drop((chargedAtMs) => chargedAtMs <= latestMs)
    }
    this.#pruneAt = Math.min(Math.max(FIRST_PRUNE, byId.size * 2), MOST_SETTLED)
  }

  #drop(isDropped: (chargedAtMs: number) => boolean): void {
    for (const [id, chargedAtMs] of this.byId!) {
      if (!isDropped(chargedAtMs)) continue
      this.byId!.delete(id)
      this.closeBefore(chargedAtMs + 1)
    }
  }
}
