import { KEY_SLOTS, keySlotOf } from "./key-slot.js"

/** So many objects are looked at beside the denials of a key in so long. */
const MAX_LOOKS = 16
const WINDOW_MS = 10_000

/**
 * How many objects may be looked at beside a denial that is known: whoever is denied could have ever new ones looked
 * at, and each look is a call. Counted for groups of keys, since keys that share a count are only looked beside less
 * often.
 */
export class LookBudget {
  readonly #looks = new Uint8Array(KEY_SLOTS)
  #startMs = Number.NEGATIVE_INFINITY

  /** How many of the wanted looks may be made beside the denial of a key. They count as made. */
  take(name: string, wanted: number, nowMs: number): number {
    if (nowMs < this.#startMs || nowMs - this.#startMs >= WINDOW_MS) {
      this.#looks.fill(0)
      this.#startMs = nowMs
    }
    const slot = keySlotOf(name)
    const taken = Math.min(wanted, MAX_LOOKS - this.#looks[slot]!)
    this.#looks[slot]! += taken
    return taken
  }
}
