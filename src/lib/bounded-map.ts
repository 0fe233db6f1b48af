/**
 * A `Map` of so many entries at most: beyond that, the one that was set longest ago goes. Setting an entry again makes
 * it the newest; who wants the one used longest ago to go sets it again when it is used.
 *
 * The first key of a `Map` that loses its first one again and again is found by stepping over all that were there
 * before, thousands in a large one. So one iterator goes on from entry to entry: all that it has passed are gone. It is
 * given up after a while in which nothing had to go, since it holds what the map was meanwhile in memory.
 */
export class BoundedMap<K, V> extends Map<K, V> {
  readonly #max: number
  /** Stands before the oldest entry; `null` where it is to begin anew. */
  #oldest: MapIterator<K> | null = null
  /** How many entries were set since one had to go. */
  #quiet = 0

  /** @param max at least 1 */
  constructor(max: number) {
    super()
    this.#max = max
  }

  override set(key: K, value: V): this {
    this.delete(key)
    if (this.size >= this.#max) {
      this.#oldest ??= this.keys()
      this.delete(this.#oldest.next().value!)
      this.#quiet = 0
    } else if (++this.#quiet > this.#max) this.#oldest = null
    return super.set(key, value)
  }
}
