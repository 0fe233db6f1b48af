import { withTimeout } from "../lib/with-timeout.js"

/**
 * One of which nothing was heard for so long is made again: on Workers it ends with the request that makes it, when
 * that one's client goes. One that is only slow is made twice then, which is harmless: the same policy again changes
 * nothing.
 */
const LOST_MS = 1_000

/** A limit's definition, which one request makes for all that need it. */
export class Definition {
  readonly #define: () => Promise<unknown>
  #isMade = false
  #underWay: { readonly sinceMs: number; readonly made: Promise<void> } | null = null

  /** @param define tells the limits' owner; fails by its promise alone */
  constructor(define: () => Promise<unknown>) {
    this.#define = define
  }

  /**
   * Resolves when the limit is defined, by this request or by another one. Whichever finds that the one that was at it
   * is lost does it instead, so each that waits looks by a timer of its own.
   *
   * @throws as `define`; the next call tries again
   */
  async made(): Promise<void> {
    while (!this.#isMade) {
      const underWay = this.#underWay
      const leftMs = underWay === null ? 0 : LOST_MS - Math.abs(Date.now() - underWay.sinceMs)
      try {
        await (underWay === null || leftMs <= 0 ? this.#make() : withTimeout(underWay.made, leftMs, () => {}))
      } catch (error) {
        // One that was only slow may have made it meanwhile.
        if (!this.#isMade) throw error
      }
    }
  }

  #make(): Promise<void> {
    const made = this.#define().then(
      () => {
        this.#isMade = true
      },
      (error: unknown) => {
        if (this.#underWay === underWay) this.#underWay = null
        throw error
      },
    )
    const underWay = { sinceMs: Date.now(), made }
    this.#underWay = underWay
    return made
  }
}
