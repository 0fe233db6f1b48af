import type { Receipt } from "../types/receipt.js"

/** A hit of a key, and the key's hit before. */
interface Hit {
  readonly receipt: Receipt | null
  readonly before: Hit | undefined
}

class Generation {
  /** The last hit of each key. */
  readonly hits = new Map<string, Hit>()
  count = 0
  /** When the last of its receipts is worth nothing any more. */
  untilMs = Number.NEGATIVE_INFINITY
}

/**
 * The receipts of hits that may be taken back, of each key the last one first. `null` is a hit that charged nothing.
 *
 * They are kept in two generations. The old one is forgotten by the next hit after its receipts are worth nothing, or
 * when the young one is half of the most: so half of the most are held of all keys' last hits at least.
 */
export class ReceiptStash {
  readonly #half: number
  #young = new Generation()
  #old = new Generation()

  constructor(most: number) {
    this.#half = most / 2
  }

  /** Adds a key's hit, whose receipt is worth nothing from `untilMs` on. */
  push(key: string, receipt: Receipt | null, nowMs: number, untilMs: number): void {
    if (this.#young.count >= this.#half || nowMs >= this.#old.untilMs) {
      this.#old = this.#young
      this.#young = new Generation()
    }
    const { hits } = this.#young
    hits.set(key, { receipt, before: hits.get(key) })
    this.#young.count++
    this.#young.untilMs = Math.max(this.#young.untilMs, untilMs)
  }

  pop(key: string): Receipt | null | undefined {
    const generation = this.#young.hits.has(key) ? this.#young : this.#old
    const hit = generation.hits.get(key)
    if (hit === undefined) return undefined
    if (hit.before === undefined) generation.hits.delete(key)
    else generation.hits.set(key, hit.before)
    generation.count--
    return hit.receipt
  }

  delete(key: string): void {
    this.#young.hits.delete(key)
    this.#old.hits.delete(key)
  }
}
