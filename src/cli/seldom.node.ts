/** A disk that is full fails at every turn, and is not to be filled with lines about that. */
const EVERY_MS = 10_000

/** Tells of what may happen often: of the first at once, of those that follow together every 10 s, of the rest in the end. */
export class Seldom {
  readonly #tell: () => void
  #pause: NodeJS.Timeout | null = null
  #isUntold = false

  /** @param tell of all that happened since it was called last */
  constructor(tell: () => void) {
    this.#tell = tell
  }

  /** It happened. */
  note(): void {
    this.#isUntold = true
    if (this.#pause === null) this.#tellNow()
  }

  /** Tells what is untold. */
  end(): void {
    if (this.#pause !== null) clearTimeout(this.#pause)
    this.#pause = null
    if (!this.#isUntold) return
    this.#isUntold = false
    this.#tell()
  }

  #tellNow(): void {
    this.#isUntold = false
    this.#pause = setTimeout(() => {
      this.#pause = null
      if (this.#isUntold) this.#tellNow()
    }, EVERY_MS)
    // Who ends tells the rest.
    this.#pause.unref()
    this.#tell()
  }
}
