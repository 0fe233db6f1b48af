/** Upper bounds in seconds, from 10 µs, what a check in memory takes, to 10 s, where every caller has given up. */
const LATENCY_BOUNDS_SECONDS: readonly number[] = [
  0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5,
  10,
]

/** What a histogram counted, for another one to add. */
export interface HistogramCounts {
  /** Observations of each bucket alone, in the order of the bounds; those above the last are in none. */
  readonly counts: readonly number[]
  readonly count: number
  readonly sum: number
}

/** Counts observations by size: constant memory, a few comparisons each. */
export class Histogram {
  /** Upper ends of the buckets, ascending; what is above the last counts in total only. */
  readonly bounds = LATENCY_BOUNDS_SECONDS
  readonly #counts = new Float64Array(LATENCY_BOUNDS_SECONDS.length)
  #sum = 0
  #count = 0

  get sum(): number {
    return this.#sum
  }

  get count(): number {
    return this.#count
  }

  /** Negative values, which a stepping clock can give, count as 0. */
  observe(value: number): void {
    const seen = Math.max(0, value)
    this.#sum += seen
    this.#count++
    for (let index = 0; index < this.bounds.length; index++) {
      if (seen > this.bounds[index]!) continue
      this.#counts[index]!++
      return
    }
  }

  /** What was counted so far. */
  told(): HistogramCounts {
    return { counts: [...this.#counts], count: this.#count, sum: this.#sum }
  }

  /** Adds what was counted elsewhere. What has other buckets, those of another version, cannot be: it is left out. */
  add({ counts, count, sum }: HistogramCounts): void {
    if (counts.length !== this.bounds.length) return
    for (const [index, each] of counts.entries()) this.#counts[index]! += each
    this.#count += count
    this.#sum += sum
  }

  /** How many observations were at most each bound: cumulative, as Prometheus has them. */
  cumulative(): number[] {
    let total = 0
    return Array.from(this.#counts, (count) => {
      total += count
      return total
    })
  }
}
