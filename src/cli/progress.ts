import { formatNumber } from "./format.js"
import type { Terminal } from "./terminal.js"

const EVERY_MS = 100

/** How much of long work is done, on one line of standard error where that is a terminal. */
export class Progress {
  readonly #terminal: Terminal
  readonly #what: string
  #done = 0
  #shownAtMs = 0

  constructor(terminal: Terminal, what: string) {
    this.#terminal = terminal
    this.#what = what
  }

  add(count = 1): void {
    this.#done += count
    const nowMs = performance.now()
    if (!this.#terminal.isErrTty || nowMs - this.#shownAtMs < EVERY_MS) return
    this.#shownAtMs = nowMs
    this.#terminal.err(`\r${this.#what}  ${formatNumber(this.#done)}\u001b[K`)
  }

  /** Clears the line. */
  end(): void {
    if (this.#terminal.isErrTty && this.#shownAtMs > 0) this.#terminal.err("\r\u001b[K")
  }
}
