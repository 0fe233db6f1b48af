import { waitUntil } from "cloudflare:workers"
import { sleep } from "../../src/lib/sleep.js"

/** A run that is later than this is given up for lost. */
const OVERDUE_MS = 5_000

/** Does something a while after the first request asks for it, for all that ask meanwhile: after that one's answer. */
export class SharedTimer {
  readonly #waitMs: number
  readonly #run: () => Promise<void>
  #waitingSinceMs = Number.NEGATIVE_INFINITY

  /** @param run fails never */
  constructor(waitMs: number, run: () => Promise<void>) {
    this.#waitMs = waitMs
    this.#run = run
  }

  start(): void {
    const nowMs = Date.now()
    // Where the first request was cut off before its time, or the clock was set back, another one takes over.
    const waitedMs = nowMs - this.#waitingSinceMs
    if (waitedMs >= 0 && waitedMs < this.#waitMs + OVERDUE_MS) return
    this.#waitingSinceMs = nowMs
    const wait = sleep(this.#waitMs).then(() => {
      this.#waitingSinceMs = Number.NEGATIVE_INFINITY
      return this.#run()
    })
    waitUntil(wait)
  }
}
