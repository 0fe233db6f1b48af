interface Event {
  readonly atMs: number
  /** Of events at the same time the first that was scheduled comes first. */
  readonly order: number
  readonly run: () => void
}

/** What is to happen, in the order of time: a binary heap. */
export class EventQueue {
  readonly #heap: Event[] = []
  #scheduled = 0

  schedule(atMs: number, run: () => void): void {
    const event = { atMs, order: this.#scheduled++, run }
    let at = this.#heap.push(event) - 1
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (isBefore(this.#heap[parent]!, event)) break
      this.#heap[at] = this.#heap[parent]!
      at = parent
    }
    this.#heap[at] = event
  }

  /** Takes the next event out. */
  next(): Event | undefined {
    const first = this.#heap[0]
    const last = this.#heap.pop()
    if (last === undefined || last === first) return first
    let at = 0
    for (;;) {
      const left = 2 * at + 1
      if (left >= this.#heap.length) break
      const right = left + 1
      const smaller = right < this.#heap.length && isBefore(this.#heap[right]!, this.#heap[left]!) ? right : left
      if (isBefore(last, this.#heap[smaller]!)) break
      this.#heap[at] = this.#heap[smaller]!
      at = smaller
    }
    this.#heap[at] = last
    return first
  }
}

function isBefore(one: Event, other: Event): boolean {
  return one.atMs === other.atMs ? one.order < other.order : one.atMs < other.atMs
}
