/** A key that was seen often. */
export interface HeavyHitter {
  readonly key: string
  /** How often it was seen, or up to `error` more. */
  readonly count: number
  /** By how much `count` may be too high. */
  readonly error: number
}

interface Entry {
  readonly key: string
  count: number
  readonly error: number
  /** The count that its place in the heap goes by: an earlier one, never more than `count`. */
  rank: number
}

/**
 * The most frequent keys of a stream in bounded memory: the space-saving sketch of Metwally, Agrawal and El Abbadi,
 * "Efficient Computation of Frequent and Top-k Elements in Data Streams" (2005).
 *
 * It holds `capacity` counters. A key without one takes over the smallest, and its count: so no count is ever too low,
 * none is too high by more than total / capacity, and every key seen more often than that is among them.
 *
 * The smallest is on top of a heap. A key that is counted again stays where it is in there, and moves down only once it
 * has come to the top: so counting costs O(1), and taking over O(log capacity) for each key that has to move.
 */
export class HeavyHitters {
  readonly #capacity: number
  readonly #heap: Entry[] = []
  readonly #entries = new Map<string, Entry>()

  /** @param capacity how many keys are counted at once, 1 or more */
  constructor(capacity: number) {
    if (!Number.isInteger(capacity) || capacity < 1) {
      throw new RangeError(`Cannot count keys: capacity is ${capacity}, allowed is a whole number from 1.`)
    }
    this.#capacity = capacity
  }

  add(key: string, times = 1): void {
    const known = this.#entries.get(key)
    if (known !== undefined) {
      known.count += times
      return
    }
    if (this.#heap.length < this.#capacity) {
      this.#put(this.#heap.length, { key, count: times, error: 0, rank: times })
      this.#rise(this.#heap.length - 1)
      return
    }
    const { key: smallest, count: error } = this.#smallest()
    this.#entries.delete(smallest)
    this.#put(0, { key, count: error + times, error, rank: error + times })
    this.#sink()
  }

  #put(place: number, entry: Entry): void {
    this.#heap[place] = entry
    this.#entries.set(entry.key, entry)
  }

  /** The entry of the smallest count, which is then on top. */
  #smallest(): Entry {
    for (;;) {
      const top = this.#heap[0]!
      // All others rank as high at least, and count as much as they rank at least.
      if (top.rank === top.count) return top
      top.rank = top.count
      this.#sink()
    }
  }

  /** The most frequent keys, most first; keys of one count in the order of their text. */
  top(count: number): HeavyHitter[] {
    return this.#heap
      .toSorted((a, b) => b.count - a.count || (a.key < b.key ? -1 : 1))
      .slice(0, count)
      .map(({ key, count: seen, error }) => ({ key, count: seen, error }))
  }

  #rise(from: number): void {
    for (let place = from; place > 0; ) {
      const parent = (place - 1) >> 1
      if (this.#heap[parent]!.rank <= this.#heap[place]!.rank) return
      this.#swap(place, parent)
      place = parent
    }
  }

  /** Moves the top to its place. */
  #sink(): void {
    const heap = this.#heap
    for (let place = 0; ; ) {
      let least = place
      for (const child of [2 * place + 1, 2 * place + 2]) {
        if (child < heap.length && heap[child]!.rank < heap[least]!.rank) least = child
      }
      if (least === place) return
      this.#swap(place, least)
      place = least
    }
  }

  #swap(a: number, b: number): void {
    const [first, second] = [this.#heap[a]!, this.#heap[b]!]
    this.#heap[a] = second
    this.#heap[b] = first
  }
}
