/** So many keys may come before the times of the records before them count no more. */
const SPAN_KEYS = 1_024
/** After so many records the keys are counted, or after as many as there are limits: counting asks each of them. */
const COUNT_EVERY = 1_024

/** Limits, as far as they tell how many keys they hold. */
type Sized = ReadonlyMap<string, { readonly size: number }>

/**
 * The earliest time of the records that came lately: since the last compaction began, and of the last one before it. A
 * clock that is ahead may come back, so what was used at this time is not idle yet.
 *
 * How much log there may be between two compactions follows from how much the first of them kept. Were all keys kept that
 * came in between, each snapshot could be larger than the one before, without end. So where many keys come, the times are
 * forgotten by turns: those count under which the last 1,024 keys came, and no more than a few thousand keys, or a few
 * times as many as there are limits.
 */
export class RecentTimes {
  readonly #limits: Sized
  /** Of the span that goes on, and of the one before it. */
  #earliestMs = Number.POSITIVE_INFINITY
  #earliestBeforeMs = Number.POSITIVE_INFINITY
  #records = 0
  /** Keys at the begin of the span, or fewer where some have gone since. */
  #keys = Number.POSITIVE_INFINITY

  constructor(limits: Sized) {
    this.#limits = limits
  }

  /** Infinity before the first record. */
  get earliestMs(): number {
    return Math.min(this.#earliestMs, this.#earliestBeforeMs)
  }

  /** Starts anew at a time, that of the last record. */
  restart(timeMs: number): void {
    this.#earliestMs = timeMs
    this.#earliestBeforeMs = Number.POSITIVE_INFINITY
    this.#keys = Number.POSITIVE_INFINITY
    this.#records = 0
  }

  /** @param records how many there are, of which this is the earliest time */
  note(timeMs: number, records: number): void {
    if (timeMs < this.#earliestMs) this.#earliestMs = timeMs
    this.#records += records
    if (this.#records >= COUNT_EVERY && this.#records >= this.#limits.size) this.#endLongSpan(timeMs)
  }

  #endLongSpan(timeMs: number): void {
    this.#records = 0
    let keys = 0
    for (const { size } of this.#limits.values()) keys += size
    this.#keys = Math.min(this.#keys, keys)
    if (keys - this.#keys < SPAN_KEYS) return
    this.#earliestBeforeMs = this.#earliestMs
    this.#earliestMs = timeMs
    this.#keys = keys
  }
}
