import { formatCount } from "./format.js"
import { ThrottledNotice } from "./throttled-notice.node.js"

/** Tells of connections that a server closed because it has as many as it may, in a line at most every 10 s. */
export class RefusalLines {
  readonly #write: (line: string) => void
  readonly #most: number
  readonly #telling = new ThrottledNotice(() => this.#tell())
  #refused = 0

  /**
   * @param most how many connections there may be
   * @param write takes a line
   */
  constructor(most: number, write: (line: string) => void) {
    this.#most = most
    this.#write = write
  }

  /** One more was closed. */
  note(): void {
    this.#refused += 1
    this.#telling.note()
  }

  /** Tells what is untold. */
  end(): void {
    this.#telling.end()
  }

  #tell(): void {
    const closed = formatCount(this.#refused, "connection")
    this.#refused = 0
    this.#write(`Closed ${closed} at once: no more than ${this.#most} may be open (--max-connections).`)
  }
}
