import type { LedgerPort } from "./sql-port.js"

/** Makes one write for all who ask before it begins, and one write after the other. */
export class GroupCommit {
  readonly #port: LedgerPort
  readonly #write: () => Promise<void> | undefined
  readonly #afterwards: () => void
  #group: Group | null = null
  /** Whether what was written becomes durable beside this thread: the next group waits for it. */
  #isSyncing = false

  /**
   * @param write writes everything that was appended so far; gives a promise where it is not durable yet
   * @param afterwards runs after each write that was made; it does not fail
   */
  constructor(port: LedgerPort, write: () => Promise<void> | undefined, afterwards: () => void) {
    this.#port = port
    this.#write = write
    this.#afterwards = afterwards
  }

  /** Resolves when everything that was appended until now is durable. */
  commit(): Promise<void> {
    if (this.#group !== null) return this.#group.done
    const group = new Group()
    this.#group = group
    if (!this.#isSyncing) this.#runLater(group)
    return group.done
  }

  #runLater(group: Group): void {
    // The platform says when: once everybody who is ready now has been heard, or at once.
    this.#port.defer(() => this.#run(group))
  }

  #run(group: Group): void {
    // Who comes from here on is in the next group.
    this.#group = null
    try {
      const syncing = this.#write()
      if (syncing === undefined) this.#end(group)
      else void this.#endAfter(syncing, group)
    } catch (error) {
      group.reject(error)
    }
  }

  async #endAfter(syncing: Promise<void>, group: Group): Promise<void> {
    this.#isSyncing = true
    try {
      await syncing
      this.#end(group)
    } catch (error) {
      group.reject(error)
    } finally {
      this.#isSyncing = false
      if (this.#group !== null) this.#runLater(this.#group)
    }
  }

  #end(group: Group): void {
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
