/** When who waits looks for itself, ms. */
export const LOOK_MS = 50

/** How one waits for an outcome. */
interface Wait {
  /** How long at most, ms. */
  readonly mostMs: number
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
 * itself. The timers that it set within ring all the same: by them it looks whether the outcome is here. The other request
 * may have been cancelled too, so nobody waits without end.
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
  async wait({ mostMs, firstLookMs = LOOK_MS, onLook }: Wait): Promise<T | undefined> {
    const sinceMs = Date.now()
    let timer: ReturnType<typeof setTimeout> | null = null
    const seen = new Promise<void>((resolve) => {
      const look = () => {
        const waitedMs = Date.now() - sinceMs
        const leftMs = mostMs - waitedMs
        if (this.#outcome !== null || leftMs <= 0) return resolve()
        timer = setTimeout(look, Math.min(leftMs, Math.max(waitedMs, LOOK_MS)))
        onLook?.()
      }
      timer = setTimeout(look, Math.min(mostMs, firstLookMs))
    })
    await Promise.race([this.#brought.promise, seen])
    clearTimeout(timer)
    return this.#outcome?.value
  }
}
