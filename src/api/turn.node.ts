/**
 * The turns of the event loop in which requests arrive.
 *
 * Answers that are ready in the same turn are written at its end, one right after the other. Where each is written as
 * soon as it is ready, each may have to wake its sleeping reader, which can take longer than making the answer. Answers
 * that come later, such as those that waited for a commit, come together anyway.
 */
export class Turn {
  #end: Promise<void> | null = null

  /** A request arrives. */
  begin(): void {
    this.#end ??= new Promise((resolve) => {
      setImmediate(() => {
        this.#end = null
        resolve()
      })
    })
  }

  /** Resolves at the end of the turn; `null` where no request has arrived in it. */
  get end(): Promise<void> | null {
    return this.#end
  }
}
