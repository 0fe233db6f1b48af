/** Where one object's own time starts to show: a tenth to a half of what one can answer. */
const BUSY_PER_SECOND = 100
const WINDOW_MS = 1_000

/**
 * Whether a key is asked about often, by the checks of this second and the one before. Those that a lease answers count
 * when it is drawn, so that leasing does not make a busy key look idle.
 */
export class CallRate {
  #startMs = 0
  #count = 0
  #countBefore = 0

  note(nowMs: number, checks: number): void {
    const elapsedMs = nowMs - this.#startMs
    if (elapsedMs >= WINDOW_MS || elapsedMs < 0) {
      this.#countBefore = elapsedMs >= 0 && elapsedMs < 2 * WINDOW_MS ? this.#count : 0
      this.#count = 0
      this.#startMs = nowMs
    }
    this.#count += checks
  }

  isBusy(nowMs: number): boolean {
    const elapsedMs = nowMs - this.#startMs
    if (elapsedMs < 0 || elapsedMs >= 2 * WINDOW_MS) return false
    return Math.max(this.#count, elapsedMs < WINDOW_MS ? this.#countBefore : 0) >= BUSY_PER_SECOND
  }
}
