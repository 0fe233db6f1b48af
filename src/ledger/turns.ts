import type { LogFailure } from "./log-failure.js"
import type { LedgerPort } from "./sql-port.js"

/** What takes about as long as a commit: some thousand records, or a block of cells. */
const TURN_BYTES = 16_384

/** Divides long work into turns of the event loop, between which callers are heard. */
export class Turns {
  readonly #port: Pick<LedgerPort, "defer" | "nextTurn">
  readonly #failure: LogFailure
  #spent = 0

  /** @param failure of the log whose end is the end of the work */
  constructor(port: Pick<LedgerPort, "defer" | "nextTurn">, failure: LogFailure) {
    this.#port = port
    this.#failure = failure
  }

  /** Notes that so many bytes were gone through. Gives the promise of the next turn once this one was long enough. */
  spend(bytes: number): Promise<void> | undefined {
    this.#spent += bytes
    return this.#spent < TURN_BYTES ? undefined : this.next()
  }

  /** The next turn. @throws {StoreUnavailable} where the log was closed meanwhile */
  async next(): Promise<void> {
    this.#spent = 0
    await new Promise<void>((resolve) => {
      if (this.#port.nextTurn === undefined) this.#port.defer(resolve)
      else this.#port.nextTurn(resolve)
    })
    this.#failure.requireOpen()
  }

  /** Takes steps, which tell how many bytes each went through, to their end. */
  async run<T>(step: () => IteratorResult<number, T>): Promise<T> {
    for (;;) {
      const { done, value } = step()
      if (done) return value
      const turn = this.spend(value)
      if (turn !== undefined) await turn
    }
  }
}
