/** A full disk fails every write, and a line about each would fill the log. */
const EVERY_MS = 10_000

/**
 * Tells of what may happen again and again, at most every 10 s: of the first time at once, then of all that happened
 * since, and at the end of the rest.
 */
export class ThrottledNotice {
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
