import { formatNumber } from "./format.js"
import { isCapable } from "./style.js"
import type { Terminal } from "./terminal.js"

const EVERY_MS = 100

/** How much of long work is done, on one line of standard error where that is a terminal that can write it anew. */
export class Progress {
  readonly #terminal: Terminal
  readonly #what: string
  readonly #isShown: boolean
  #done = 0
  #shownAtMs = 0

  constructor(terminal: Terminal, what: string) {
    this.#terminal = terminal
    this.#what = what
    this.#isShown = isCapable({ isTty: terminal.isErrTty, env: terminal.env })
  }

  add(count = 1): void {
    this.#done += count
    const nowMs = performance.now()
    if (!this.#isShown || nowMs - this.#shownAtMs < EVERY_MS) return
    this.#shownAtMs = nowMs
    this.#terminal.err(`\r${this.#what}  ${formatNumber(this.#done)}\u001b[K`)
  }

  /** Clears the line. */
  end(): void {
    if (this.#shownAtMs > 0) this.#terminal.err("\r\u001b[K")
  }
}
