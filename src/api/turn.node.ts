/**
 * The turns of the event loop in which something arrives: it is handled at the end of its turn, all together.
 *
 * By then the bodies that came with their heads are there. And what the same turn decides is answered in a row: where
 * each answer is written as soon as it is ready, each may have to wake its sleeping reader, which can take longer than
 * making the answer.
 */
export class Turn<T> {
  readonly #handle: (arrival: T) => void
  #arrived: T[] = []
  #isWatching = false
  #isHeld = false

  /** @param handle called with what has arrived, in its order; must not throw */
  constructor(handle: (arrival: T) => void) {
    this.#handle = handle
  }

  add(arrival: T): void {
    this.#arrived.push(arrival)
    if (!this.#isWatching) this.#watch()
  }

  /** Handles nothing until `release`: what arrives waits, and a turn takes no longer than its arrivals do. */
  hold(): void {
    this.#isHeld = true
  }

  release(): void {
    this.#isHeld = false
    if (!this.#isWatching) this.#watch()
  }

  #watch(): void {
    this.#isWatching = true
    setImmediate(() => this.#end())
  }

  #end(): void {
    const arrived = this.#arrived
    this.#isWatching = false
    if (this.#isHeld || arrived.length === 0) return
    this.#arrived = []
    // Before what is handled defers anything, such as a commit, to the next turn: so what arrives until then shares it.
    this.#watch()
    for (const arrival of arrived) this.#handle(arrival)
  }
}
