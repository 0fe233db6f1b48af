import { withTimeout } from "./with-timeout.js"

/** When who waits looks for itself, ms. */
export const LOOK_MS = 50

/** How one waits for an outcome. */
interface Wait {
  /** How long at most, ms. */
  readonly timeoutMs: number
  /** After how long it looks for the first time, ms; then ever less often, since many may wait. */
  readonly firstLookMs?: number
  /** What it does where it looks and finds nothing. */
  readonly onLook?: () => void
}

/**
 * What one request waits for and another one brings.
 *
 * What another request settles resumes who waits as an event of its own. A Durable Object that asks within
 * `blockConcurrencyWhile` or a transaction of its storage takes no events until that is over, so it would wait for
 * itself. The timers that it set within ring all the same: by them it looks whether the outcome is here. The other
 * request may have been cancelled too, so nobody waits without end.
 *
 * To be made by the request that waits.
 */
export class BroughtOutcome<T> {
  readonly #brought = Promise.withResolvers<void>()
  #outcome: { readonly value: T } | null = null

  /** By any request. The first outcome counts. */
  bring(value: T): void {
    this.#outcome ??= { value }
    this.#brought.resolve()
  }

  /** Waits for the outcome; `undefined` where none came in time. */
  async wait({ timeoutMs, firstLookMs = LOOK_MS, onLook }: Wait): Promise<T | undefined> {
    const sinceMs = Date.now()
    let waitedMs = 0
    let lookMs = firstLookMs
    for (;;) {
      const stepMs = Math.min(lookMs, timeoutMs - waitedMs)
      await withTimeout(this.#brought.promise, stepMs, () => undefined)
      // A clock that is set back must not make the wait longer.
      waitedMs = Math.max(waitedMs + stepMs, Date.now() - sinceMs)
      if (this.#outcome !== null || waitedMs >= timeoutMs) return this.#outcome?.value
      lookMs = Math.max(waitedMs, LOOK_MS)
      onLook?.()
    }
  }
}
