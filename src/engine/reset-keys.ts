/** The most keys that are held at a time. */
export const MAX_RESET = 2 ** 16
/** So many are held however old they are, until all that is too old is to be forgotten. */
export const LEAST_RESET = 1_024

/** A key's last reset: its charges up to this number were before it. */
export interface Reset {
  readonly chargeNumber: number
  /** The time of the reset, or a later one that the key had seen. */
  readonly timeMs: number
}

/** In place of a key in an entry, since none is empty: charges of all keys up to its number are closed. */
const EVERY_KEY = ""

/** A key with its last reset, as a snapshot holds it. */
export type ResetEntry = readonly [key: string, chargeNumber: number, timeMs: number]

/**
 * The keys of a limit that were reset. What was charged before is full again, so that giving it back would give it
 * twice: no receipt of it can be settled. What is forgotten follows from the calls alone, so that a log repeats it.
 */
export class ResetKeys {
  /** Made with the first one: most limits of many reset nothing. In the order of their last resets. */
  #byKey: Map<string, Reset> | null = null
  /** Up to this number charges of all keys are closed, for resets that were forgotten. */
  #closedThrough = 0

  /** The number of the last charge before the last reset; 0 where nothing was reset. */
  get lastCharge(): number {
    let last = this.#closedThrough
    for (const { chargeNumber } of this.#byKey?.values() ?? []) last = Math.max(last, chargeNumber)
    return last
  }

  /** Whether a charge of a key was before its last reset, or before one of any key that was forgotten. */
  has(key: string, chargeNumber: number): boolean {
    return chargeNumber <= Math.max(this.#closedThrough, this.#byKey?.get(key)?.chargeNumber ?? 0)
  }

  /** Closes the charges of all keys up to a number. */
  closeThrough(chargeNumber: number): void {
    this.#closedThrough = Math.max(this.#closedThrough, chargeNumber)
  }

  /** Notes a reset, as the last one, or an entry. */
  add(key: string, reset: Reset): void {
    if (key === EVERY_KEY) {
      this.closeThrough(reset.chargeNumber)
      return
    }
    this.#byKey ??= new Map()
    this.#byKey.delete(key)
    this.#byKey.set(key, reset)
  }

  /** Every reset that is held, after what those that were forgotten closed. */
  entries(): ResetEntry[] {
    const held = Array.from(
      this.#byKey ?? [],
      ([key, { chargeNumber, timeMs }]): ResetEntry => [key, chargeNumber, timeMs],
    )
    return this.#closedThrough === 0 ? held : [[EVERY_KEY, this.#closedThrough, 0], ...held]
  }

  /**
   * Forgets the first ones, while they are of before a time and more than `least`, or there are too many. What was
   * charged before one of them stays closed, of any key: by its number, for the clock may have been ahead of the
   * reset's time.
   */
  forgetBefore(timeMs: number, least: number): void {
    const byKey = this.#byKey
    for (const [key, reset] of byKey ?? []) {
      const { size } = byKey!
      if (size <= MAX_RESET && (size <= least || reset.timeMs >= timeMs)) break
      byKey!.delete(key)
      this.closeThrough(reset.chargeNumber)
    }
  }
}
