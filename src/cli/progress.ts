import { formatNumber } from "./format.js"
import type { Terminal } from "./terminal.js"

const WIDTH = 30
const EVERY_MS = 100

/** How far long work has come, on one line of standard error where that is a terminal. */
export class Progress {
  readonly #terminal: Terminal
  readonly #what: string
  readonly #total: number | null
  #done = 0
  #shownAtMs = 0

  /** @param total `null` where it is not known: then there is a count and no bar */
  constructor(terminal: Terminal, what: string, total: number | null) {
    this.#terminal = terminal
    this.#what = what
    this.#total = total
  }

  add(count = 1): void {
    this.#done += count
    const nowMs = performance.now()
    if (!this.#terminal.isErrTty || nowMs - this.#shownAtMs < EVERY_MS) return
    this.#shownAtMs = nowMs
    this.#terminal.err(`\r${this.#line()}\u001b[K`)
  }

  /** Clears the line. */
  end(): void {
    if (this.#terminal.isErrTty && this.#shownAtMs > 0) this.#terminal.err("\r\u001b[K")
  }

  #line(): string {
    const done = formatNumber(this.#done)
    if (this.#total === null) return `${this.#what}  ${done}`
    const share = this.#total === 0 ? 1 : Math.min(1, this.#done / this.#total)
    const filled = Math.round(share * WIDTH)
    return `${this.#what}  ${"█".repeat(filled)}${"░".repeat(WIDTH - filled)}  ${done} of ${formatNumber(this.#total)}`
  }
}
