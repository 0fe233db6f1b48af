import { plainText } from "./plain-text.js"

/** A disk that is full fails every commit, and is not to be filled with lines about that. */
const EVERY_MS = 10_000

/** Tells of commits that failed: of the first at once, and of those that follow together, in a line every 10 s. */
export class FailureLines {
  readonly #write: (line: string) => void
  #pause: NodeJS.Timeout | null = null
  #last = ""
  #failures = 0
  #lost = 0

  /** @param write takes a line */
  constructor(write: (line: string) => void) {
    this.#write = write
  }

  /** @param lostRecords that were told and that the failure may have lost */
  note(error: Error, lostRecords: number): void {
    this.#last = error.message
    this.#failures += 1
    this.#lost += lostRecords
    if (this.#pause === null) this.#tell()
  }

  /** Tells what is untold. */
  end(): void {
    if (this.#pause !== null) clearTimeout(this.#pause)
    this.#pause = null
    if (this.#failures > 0) this.#write(this.#line())
  }

  #tell(): void {
    this.#write(this.#line())
    this.#pause = setTimeout(() => {
      this.#pause = null
      if (this.#failures > 0) this.#tell()
    }, EVERY_MS)
    // Who ends tells the rest.
    this.#pause.unref()
  }

  #line(): string {
    const often = this.#failures === 1 ? "" : ` ${this.#failures} commits failed since the last such line.`
    const loss = this.#lost === 0 ? "" : ` At most ${this.#lost} records that were told are lost.`
    this.#failures = 0
    this.#lost = 0
    return `${plainText(this.#last)}${often}${loss}`
  }
}
