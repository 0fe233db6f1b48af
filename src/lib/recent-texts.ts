/**
 * Texts that were seen lately, in bounded memory: so many of the last at least, and twice as many at most. They are
 * kept in two generations, since a set that forgets its oldest with each new one takes long to find it.
 */
export class RecentTexts {
  readonly #least: number
  #young = new Set<string>()
  #old = new Set<string>()

  constructor(least: number) {
    this.#least = least
  }

  has(text: string): boolean {
    return this.#young.has(text) || this.#old.has(text)
  }

  /** @returns whether it was seen lately */
  add(text: string): boolean {
    if (this.#young.has(text)) return true
    const isOld = this.#old.has(text)
    if (this.#young.size >= this.#least) {
      this.#old = this.#young
      this.#young = new Set()
    }
    this.#young.add(text)
    return isOld
  }
}
