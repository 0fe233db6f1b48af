import type { LedgerPort } from "./sql-port.js"

/** Writes that are shared by all who ask before they are made. */
export class GroupCommit {
  readonly #port: LedgerPort
  readonly #write: () => void
  readonly #afterwards: () => void
  #group: Group | null = null

  /**
   * @param write writes everything that was appended so far
   * @param afterwards runs after each write that was made; it does not fail
   */
  constructor(port: LedgerPort, write: () => void, afterwards: () => void) {
    this.#port = port
    this.#write = write
    this.#afterwards = afterwards
  }

  /** Resolves when everything that was appended until now is written. */
  commit(): Promise<void> {
    if (this.#group !== null) return this.#group.done
    const group = new Group()
    this.#group = group
    // The platform says when: once everybody who is ready now has been heard, or at once.
    this.#port.defer(() => this.#run(group))
    return group.done
  }

  #run(group: Group): void {
    // Who comes from here on is in the next group.
    this.#group = null
    try {
      this.#write()
    } catch (error) {
      group.reject(error)
      return
    }
    group.resolve()
    this.#afterwards()
  }
}

/** What was written before anybody asked for it. */
const WRITTEN = Promise.resolve()

/** The callers that wait for one write. Where it is made at once, nobody waits. */
class Group {
  #waiting: PromiseWithResolvers<void> | null = null
  #done: Promise<void> | null = null

  get done(): Promise<void> {
    if (this.#done !== null) return this.#done
    this.#waiting = Promise.withResolvers()
    return this.#settle(this.#waiting.promise)
  }

  resolve(): void {
    if (this.#waiting === null) this.#done = WRITTEN
    else this.#waiting.resolve()
  }

  reject(error: unknown): void {
    if (this.#waiting === null) this.#settle(Promise.reject(error))
    else this.#waiting.reject(error)
  }

  #settle(done: Promise<void>): Promise<void> {
    // A caller that does not wait, such as an alarm, must not turn a failure into an unhandled rejection.
    done.catch(() => undefined)
    this.#done = done
    return done
  }
}
