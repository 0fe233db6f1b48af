/** So many keys may come before the times of the records before them count no more. */
const SPAN_KEYS = 1_024
/** After so many records the keys are counted, or after as many as there are limits: counting asks each of them. */
const COUNT_EVERY = 1_024

/** Limits, as far as they tell how many keys they hold. */
type Sized = ReadonlyMap<string, { readonly size: number }>

/**
 * The earliest time of the records that came lately. A compaction forgets the keys that were full at this time, and not
 * those that are full by the clock now, which may be ahead and come back. Under 1/minute a key is used at 12:00:00,
 * then the clock jumps to 12:10:00, and is set back to 12:00:30. A compaction at 12:10:00 that went by the clock would
 * forget the key, which at 12:00:30 has nothing left; by the earliest time, 12:00:00, the key stays.
 *
 * Lately is since the last compaction, or some thousands of new keys ago where more have come since: a snapshot would
 * else have to keep every key that came since the one before. A snapshot of 10 MB lets 20 MB of log come before the
 * next one. If each record there were of another key, the next one would have some 30 MB and let 60 MB come, and so on
 * without end. So the records are parted into spans. A span ends once 1,024 keys have come in it, which is looked at
 * after each 1,024 records, or after as many as there are limits. What counts is the span that goes on and the one
 * before it.
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
