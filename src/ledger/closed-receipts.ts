import type { Receipt } from "../types/receipt.js"

const HOUR_MS = 3_600_000

/** A receipt that was settled, as a snapshot holds it. */
export type ClosedReceipt = readonly [id: string, chargedAtMs: number]

/**
 * The receipts of a limit that were settled, so that none settles twice. They are forgotten only when a compaction begins,
 * by the hours of their charges: so what is forgotten follows from the log, and telling it does not cost their number.
 */
export class ClosedReceipts {
  /** Made with the first one: most limits of many settle nothing. */
  #settled: {
    readonly chargedAtMs: Map<string, number>
    /** The latest charge of each hour, by the hour's number. */
    readonly latestOfHour: Map<number, number>
  } | null = null
  #closedBeforeMs = 0
  #save: { readonly receipts: Iterator<[string, number]>; left: number } | null = null

  /** Receipts that were charged before cannot be settled any more: those that were may be forgotten. */
  get closedBeforeMs(): number {
    return this.#closedBeforeMs
  }

  has(receiptId: string): boolean {
    return this.#settled?.chargedAtMs.has(receiptId) ?? false
  }

  /**
   * Whether a receipt can be settled: it was not before, and is not too old.
   *
   * @param keepMs how long after its charge a receipt can be settled
   */
  isOpen({ id, chargedAtMs }: Pick<Receipt, "id" | "chargedAtMs">, nowMs: number, keepMs: number): boolean {
    return chargedAtMs >= this.#closedBeforeMs && chargedAtMs + keepMs >= nowMs && !this.has(id)
  }

  /** Notes a receipt. Whether it was open. */
  add(receipt: Pick<Receipt, "id" | "chargedAtMs">, nowMs: number, keepMs: number): boolean {
    if (!this.isOpen(receipt, nowMs, keepMs)) return false
    this.restore(receipt.id, receipt.chargedAtMs)
    return true
  }

  /** Puts a receipt back that `entries` or a save told. */
  restore(id: string, chargedAtMs: number): void {
    this.#settled ??= { chargedAtMs: new Map(), latestOfHour: new Map() }
    this.#settled.chargedAtMs.set(id, chargedAtMs)
    const { latestOfHour } = this.#settled
    const hour = Math.floor(chargedAtMs / HOUR_MS)
    latestOfHour.set(hour, Math.max(chargedAtMs, latestOfHour.get(hour) ?? 0))
  }

  /** From now on no receipt of before a time can be settled. */
  closeBefore(timeMs: number): void {
    this.#closedBeforeMs = Math.max(this.#closedBeforeMs, timeMs)
  }

  entries(): Iterable<ClosedReceipt> {
    return this.#settled?.chargedAtMs ?? []
  }

  /** Forgets those of the hours that are too old at a time, and starts to save the others: `saveSome` tells them. */
  beginSave(nowMs: number, keepMs: number): void {
    if (this.#settled === null) return
    const { chargedAtMs, latestOfHour } = this.#settled
    for (const [hour, latestMs] of latestOfHour) {
      if ((hour + 1) * HOUR_MS + keepMs > nowMs) continue
      latestOfHour.delete(hour)
      this.closeBefore(latestMs + 1)
    }
    this.#save = { receipts: chargedAtMs.entries(), left: chargedAtMs.size }
  }

  /** Up to so many of those that were there when the save was begun; `null` at the end. */
  saveSome(count: number): readonly ClosedReceipt[] | null {
    const save = this.#save
    if (save === null || save.left === 0) {
      this.#save = null
      return null
    }
    const some: ClosedReceipt[] = []
    for (let looked = 0; looked < count && save.left > 0; looked++) {
      const receipt: ClosedReceipt = save.receipts.next().value
      save.left -= 1
      // It cannot be settled any more, whether it is known or not.
      if (receipt[1] < this.#closedBeforeMs) this.#settled!.chargedAtMs.delete(receipt[0])
      else some.push(receipt)
    }
    return some
  }
}
