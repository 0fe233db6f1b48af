const GENERATION = 8_192

/**
 * Idempotency of the counts: the ids of the receipts told lately, in bounded memory, so that an admission which is told
 * again is not counted again.
 */
export class RecentIds {
  #young = new Set<string>()
  #old = new Set<string>()

  /** Whether an id comes again; it is remembered. Without an id nothing was admitted, and nothing comes again. */
  isRepeated(id: string | undefined): boolean {
    if (id === undefined) return false
    if (this.#young.has(id) || this.#old.has(id)) return true
    if (this.#young.size >= GENERATION) {
      this.#old = this.#young
      this.#young = new Set()
    }
    this.#young.add(id)
    return false
  }
}
