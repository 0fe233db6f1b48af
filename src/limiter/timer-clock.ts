/** As they are where nobody stands in for them. */
const { now: dateNow } = Date
const { now: performanceNow } = performance
const { setTimeout: realSetTimeout } = globalThis

/**
 * The time that timers go by: that of the monotonic clock, so that a wall clock that is put back holds nobody up. Fake
 * timers that leave `performance` alone go by the `Date` that they stand in for, while the monotonic clock runs on. A
 * `Date` that somebody stands in for alone says nothing of timers.
 */
export class TimerClock {
  #source: () => number = performanceNow
  #readMs = 0
  /** What is added to what is read. */
  #offsetMs = 0

  /** In ms; never less than before. */
  now(): number {
    const isOfDate =
      Date.now !== dateNow && performance.now === performanceNow && globalThis.setTimeout !== realSetTimeout
    const source = isOfDate ? Date.now : performance.now
    const readMs = isOfDate ? Date.now() : performance.now()
    if (source !== this.#source || readMs < this.#readMs) {
      // Another clock, or one that was put back, goes on from the last time; rounded up, so that whole ms stay whole.
      this.#offsetMs = Math.ceil(this.#readMs + this.#offsetMs) - readMs
      this.#source = source
    }
    this.#readMs = readMs
    return readMs + this.#offsetMs
  }
}
