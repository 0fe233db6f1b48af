const GENERATION = 8_192

/**
 * Idempotency of the counts: the ids of the receipts told lately, in bounded memory, so that an admission which is told
 * again is not counted again.
 */
export class RecentIds {
  #young = new Set<string>()
  #old = new Set<string>()

  /** Remembers an id. @returns whether it comes again */
  noteRepeat(id: string): boolean {
    if (this.#young.has(id) || this.#old.has(id)) return true
    if (this.#young.size >= GENERATION) {
      this.#old = this.#young
      this.#young = new Set()
    }
    this.#young.add(id)
    return false
  }
}
