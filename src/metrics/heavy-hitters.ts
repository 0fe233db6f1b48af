/** A key that was seen often. */
export interface HeavyHitter {
  readonly key: string
  /** At least how often it was seen, plus at most `error`. */
  readonly count: number
  /** By how much `count` may be too high. */
  readonly error: number
}

interface Entry {
  readonly key: string
  count: number
  readonly error: number
  /** Where it is in the heap. */
  place: number
}

/**
 * The most frequent keys of a stream in bounded memory: the space-saving sketch of Metwally, Agrawal and El Abbadi,
 * "Efficient Computation of Frequent and Top-k Elements in Data Streams" (2005).
 *
 * It holds `capacity` counters. A key without one takes over the smallest, and its count: so no count is ever too low,
 * none is too high by more than total / capacity, and every key seen more often than that is among them.
 *
 * A counter costs O(log capacity) at most, by a heap with the smallest count on top.
 */
export class HeavyHitters {
  readonly #capacity: number
  readonly #heap: Entry[] = []
  readonly #entries = new Map<string, Entry>()
  #total = 0

  /** @param capacity how many keys are counted at once, 1 or more */
  constructor(capacity: number) {
    if (!Number.isInteger(capacity) || capacity < 1) {
      throw new RangeError(`Cannot count keys: capacity is ${capacity}, allowed is a whole number from 1.`)
    }
    this.#capacity = capacity
  }

  /** The sum of all that was added. */
  get total(): number {
    return this.#total
  }

  get size(): number {
    return this.#heap.length
  }

  add(key: string, times = 1): void {
    this.#total += times
    const known = this.#entries.get(key)
    if (known !== undefined) {
      known.count += times
      this.#sink(known.place)
      return
    }
    if (this.#heap.length < this.#capacity) {
      const place = this.#heap.length
      this.#put({ key, count: times, error: 0, place })
      this.#rise(place)
      return
    }
    const smallest = this.#heap[0]!
    this.#entries.delete(smallest.key)
    this.#put({ key, count: smallest.count + times, error: smallest.count, place: 0 })
    this.#sink(0)
  }

  #put(entry: Entry): void {
    this.#heap[entry.place] = entry
    this.#entries.set(entry.key, entry)
  }

  /** The most frequent keys, most first; keys of one count in the order of their text. */
  top(count: number): HeavyHitter[] {
    return this.#heap
      .toSorted((a, b) => b.count - a.count || (a.key < b.key ? -1 : 1))
      .slice(0, count)
      .map(({ key, count: seen, error }) => ({ key, count: seen, error }))
  }

  clear(): void {
    this.#heap.length = 0
    this.#entries.clear()
    this.#total = 0
  }

  #rise(from: number): void {
    for (let place = from; place > 0; ) {
      const parent = (place - 1) >> 1
      if (this.#heap[parent]!.count <= this.#heap[place]!.count) return
      this.#swap(place, parent)
      place = parent
    }
  }

  #sink(from: number): void {
    const heap = this.#heap
    for (let place = from; ; ) {
      let least = place
      for (let child = 2 * place + 1; child <= 2 * place + 2 && child < heap.length; child++) {
        if (heap[child]!.count < heap[least]!.count) least = child
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
    second.place = a
    first.place = b
  }
}
