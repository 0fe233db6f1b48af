import type { Receipt } from "../types/receipt.js"

/** Receipts held at most, and of one key. A hit is taken back soon or never. */
const MOST_KEYS = 16_384
const MOST_OF_KEY = 1_024

/** The receipts of hits that may be taken back, the last one first. `null` is a hit that charged nothing. */
export class ReceiptStash {
  /** Keys in the order of their last hit. */
  readonly #receipts = new Map<string, (Receipt | null)[]>()

  push(key: string, receipt: Receipt | null): void {
    const own = this.#receipts.get(key) ?? []
    own.push(receipt)
    // Half at a time, so that each is moved once on average.
    if (own.length > MOST_OF_KEY) own.splice(0, MOST_OF_KEY / 2)
    this.#receipts.delete(key)
    this.#receipts.set(key, own)
    if (this.#receipts.size > MOST_KEYS) this.#receipts.delete(this.#receipts.keys().next().value!)
  }

  pop(key: string): Receipt | null | undefined {
    const own = this.#receipts.get(key)
    const receipt = own?.pop()
    if (own?.length === 0) this.#receipts.delete(key)
    return receipt
  }

  delete(key: string): void {
    this.#receipts.delete(key)
  }

  clear(): void {
    this.#receipts.clear()
  }
}
