import { StoreCorrupt } from "../types/errors.js"
import { plainText } from "./plain-text.js"
import { ThrottledNotice } from "./throttled-notice.node.js"

/** Tells of failures of the store, or of the clock, each time why it failed last, in a line at most every 10 s. */
export class FailureLines {
  readonly #write: (line: string) => void
  readonly #telling = new ThrottledNotice(() => this.#tell())
  #last: Error | null = null
  #failures = 0
  #lost = 0

  /** @param write takes a line */
  constructor(write: (line: string) => void) {
    this.#write = write
  }

  /**
   * @param error one that comes again and again, as many calls fail for it, counts once
   * @param lostRecords that were told and that the failure may have lost
   */
  note(error: Error, lostRecords: number): void {
    if (error === this.#last) return
    this.#last = error
    this.#failures += 1
    this.#lost += lostRecords
    this.#telling.note()
  }

  /** Tells what is untold. */
  end(): void {
    this.#telling.end()
  }

  #tell(): void {
    const often = this.#failures === 1 ? "" : ` ${this.#failures} failures since the last such line.`
    const loss = this.#lost === 0 ? "" : ` At most ${this.#lost} records that were told are lost.`
    const hint =
      this.#last instanceof StoreCorrupt ? " sluice repair tells what can be kept: stop the server first." : ""
    this.#failures = 0
    this.#lost = 0
    this.#write(`${plainText(this.#last!.message)}${often}${loss}${hint}`)
  }
}
