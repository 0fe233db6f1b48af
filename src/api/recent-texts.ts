/** The texts seen last, in bounded memory: the one that was not seen for longest is forgotten first. */
export class RecentTexts {
  readonly #most: number
  readonly #texts = new Set<string>()

  constructor(most: number) {
    this.#most = most
  }

  has(text: string): boolean {
    return this.#texts.has(text)
  }

  add(text: string): void {
    // Behind all others, so that the first is the one that was not seen for longest.
    this.#texts.delete(text)
    if (this.#texts.size >= this.#most) this.#texts.delete(this.#texts.values().next().value!)
    this.#texts.add(text)
  }
}
