import { plainText } from "./plain-text.js"
import { ThrottledNotice } from "./throttled-notice.node.js"

/** Tells of commits that failed, in a line at most every 10 s. */
export class FailureLines {
  readonly #write: (line: string) => void
  readonly #telling = new ThrottledNotice(() => this.#tell())
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
    this.#telling.note()
  }

  /** Tells what is untold. */
  end(): void {
    this.#telling.end()
  }

  #tell(): void {
    const often = this.#failures === 1 ? "" : ` ${this.#failures} commits failed since the last such line.`
    const loss = this.#lost === 0 ? "" : ` At most ${this.#lost} records that were told are lost.`
    this.#failures = 0
    this.#lost = 0
    this.#write(`${plainText(this.#last)}${often}${loss}`)
  }
}
