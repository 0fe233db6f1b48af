import { SettledReceipts } from "../engine/settled-receipts.js"

const HOUR_MS = 3_600_000

/** A receipt that was settled, as a snapshot holds it. */
type SettledReceipt = readonly [id: string, chargedAtMs: number]

/**
 * The settled receipts of a limit that a snapshot holds: saved little by little, while others are settled. They are
 * forgotten only when a save begins, by the hours of their charges: so what is forgotten follows from the log, and telling
 * it does not cost their number.
 */
export class SavedReceipts extends SettledReceipts {
  /** The latest charge of each hour, by the hour's number. */
  #latestOfHour: Map<number, number> | null = null
  #save: { readonly receipts: Iterator<[string, number], undefined>; left: number } | null = null

  override restore(id: string, chargedAtMs: number): void {
    super.restore(id, chargedAtMs)
    this.#latestOfHour ??= new Map()
    const hour = Math.floor(chargedAtMs / HOUR_MS)
    this.#latestOfHour.set(hour, Math.max(chargedAtMs, this.#latestOfHour.get(hour) ?? 0))
  }

  /** Drops nothing, however many there are: only `beginSave` may. */
  override prune(): void {}

  /** Forgets those of the hours that are too old at a time, and starts to save the others: `saveSome` tells them. */
  beginSave(nowMs: number, keepMs: number): void {
    const { byId } = this
    if (byId === null) return
    for (const [hour, latestMs] of this.#latestOfHour ?? []) {
      if ((hour + 1) * HOUR_MS + keepMs > nowMs) continue
      this.#latestOfHour!.delete(hour)
      this.closeBefore(latestMs + 1)
    }
    this.#save = { receipts: byId.entries(), left: byId.size }
  }

  /** Up to so many of those that were there when the save was begun; `null` at the end. */
  saveSome(count: number): readonly SettledReceipt[] | null {
    const save = this.#save
    if (save === null || save.left === 0) {
      this.#save = null
      return null
    }
    const some: SettledReceipt[] = []
    for (let looked = 0; looked < count && save.left > 0; looked++) {
      const receipt: SettledReceipt = save.receipts.next().value!
      save.left -= 1
      // It cannot be settled any more, whether it is known or not.
      if (receipt[1] < this.closedBeforeMs) this.byId!.delete(receipt[0])
      else some.push(receipt)
    }
    return some
  }
}
