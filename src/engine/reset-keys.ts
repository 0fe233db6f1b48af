/** The most keys that are held at a time. */
export const MOST_RESET = 2 ** 16
/** So many are held however old they are, until all that is too old is to be forgotten. */
export const LEAST_RESET = 1_024

/** A key's last reset: its charges up to this number were before it. */
export interface Reset {
  readonly charge: number
  /** The time of the reset, or a later one that the key had seen. */
  readonly timeMs: number
}

/** A key with its last reset, as a snapshot holds it. */
export type ResetEntry = readonly [key: string, charge: number, timeMs: number]

/**
 * The keys of a limit that were reset. What was charged before is full again, so that giving it back would give it twice:
 * no receipt of it can be settled. What is forgotten follows from the calls alone, so that a log repeats it.
 */
export class ResetKeys {
  /** Made with the first one: most limits of many reset nothing. In the order of their last resets. */
  #byKey: Map<string, Reset> | null = null

  /** The latest time of a reset that is held; −1 where none is. */
  get latestMs(): number {
    let latestMs = -1
    for (const { timeMs } of this.#byKey?.values() ?? []) latestMs = Math.max(latestMs, timeMs)
    return latestMs
  }

  /** Whether a charge of a key was before its last reset. */
  has(key: string, charge: number): boolean {
    const reset = this.#byKey?.get(key)
    return reset !== undefined && charge <= reset.charge
  }

  /** Notes a reset, as the last one. */
  add(key: string, reset: Reset): void {
    this.#byKey ??= new Map()
    this.#byKey.delete(key)
    this.#byKey.set(key, reset)
  }

  /** Every reset that is held. */
  entries(): ResetEntry[] {
    return Array.from(this.#byKey ?? [], ([key, { charge, timeMs }]) => [key, charge, timeMs])
  }

  /**
   * Forgets the first ones, while they are of before a time and more than `least`, or there are too many.
   *
   * @returns the time before which all receipts have to be closed for those that were forgotten; 0 where none was
   */
  forgetBefore(timeMs: number, least: number): number {
    const byKey = this.#byKey
    let closedBeforeMs = 0
    for (const [key, reset] of byKey ?? []) {
      const { size } = byKey!
      if (size <= MOST_RESET && (size <= least || reset.timeMs >= timeMs)) break
      byKey!.delete(key)
      closedBeforeMs = Math.max(closedBeforeMs, reset.timeMs + 1)
    }
    return closedBeforeMs
  }
}
