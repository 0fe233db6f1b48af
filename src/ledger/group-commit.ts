import type { LedgerPort } from "./sql-port.js"

/** One write at a time; all who ask while one is being made share the next. */
export class GroupCommit {
  readonly #port: LedgerPort
  readonly #write: () => Promise<void>
  readonly #afterwards: () => Promise<void>
  #group: Group | null = null
  #running: Promise<void> = Promise.resolve()

  /**
   * @param write writes everything that was appended so far
   * @param afterwards runs when those who waited for a write have been told; it does not fail
   */
  constructor(port: LedgerPort, write: () => Promise<void>, afterwards: () => Promise<void>) {
    this.#port = port
    this.#write = write
    this.#afterwards = afterwards
  }

  /** Resolves when a write that starts from here on is made. */
  commit(): Promise<void> {
    if (this.#group === null) {
      const group = new Group()
      this.#group = group
      // The next turn takes everybody who is ready now; a write under way is waited for.
      this.#port.defer(() => {
        this.#running = this.#running.then(() => this.#run(group))
      })
    }
    return this.#group.done
  }

  async #run(group: Group): Promise<void> {
    // Who comes from here on is in the next group.
    this.#group = null
    try {
      await this.#write()
    } catch (error) {
      return group.reject(error)
    }
    group.resolve()
    await this.#afterwards()
  }

  /** Runs `work` when no write is being made, and none while it runs. */
  alone<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#running.then(work)
    this.#running = done.then(
      () => undefined,
      () => undefined,
    )
    return done
  }

  /** Resolves when nothing is being written. */
  idle(): Promise<void> {
    return this.#running
  }
}

/** The callers that wait for one write. */
class Group {
  readonly done: Promise<void>
  resolve!: () => void
  reject!: (error: unknown) => void

  constructor() {
    this.done = new Promise((resolve, reject) => {
      this.resolve = resolve
      this.reject = reject
    })
    // A caller that does not wait, such as an alarm, must not turn a failure into an unhandled rejection.
    this.done.catch(() => undefined)
  }
}
