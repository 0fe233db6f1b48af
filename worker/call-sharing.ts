import { CALL_LOST_MS, type CallLoad, MOST_WAITING, SharedCalls } from "../src/limiter/shared-calls.js"
import { StoreUnavailable } from "../src/types/errors.js"
import type { KeyCheck, Subject } from "./limiter-object.js"
import { mayRepeat, type ObjectCalls, ownError } from "./object-calls.js"

/** A check that waits to be sent with others. */
interface WaitingCheck {
  readonly check: KeyCheck
  readonly resolve: (answer: string) => void
  readonly reject: (error: unknown) => void
}

export interface CallSharingParts {
  readonly calls: ObjectCalls
  /** What is the same for all checks of a limit. */
  readonly subject: Omit<Subject, "key">
  /** How long a check waits in all, ms. */
  readonly timeoutMs: number
  /** Lets a call that others wait for go on when the request that makes it is over. */
  readonly background: (work: Promise<unknown>) => void
}

/**
 * Sends checks of one limit, several of one object in one call where many come at once.
 *
 * A call belongs to the request that makes it, and goes with it. So those who wait are sent by a request that is there:
 * by one that just was answered, or one that came to wait. It does so once, in the background, and waits for nobody but
 * itself; and each waits no longer than a timer of its own request says.
 */
export class CallSharing {
  readonly #parts: CallSharingParts
  readonly #shared = new SharedCalls<WaitingCheck>()

  constructor(parts: CallSharingParts) {
    this.#parts = parts
  }

  /** Objects of which a call is under way. */
  get size(): number {
    return this.#shared.size
  }

  /**
   * @param alone sends the check in a call of its own
   * @returns the decision as JSON
   * @throws {StoreUnavailable} where too many wait, or nothing was heard in time; else as `LimiterObject.check`
   */
  async ask(object: string, check: KeyCheck, alone: () => Promise<string>): Promise<string> {
    const call = this.#shared.begin(object, Date.now())
    if (call === null) return this.#askTogether(object, check)
    try {
      return await alone()
    } finally {
      this.#shared.end(call)
      this.#send(object)
    }
  }

  async #askTogether(object: string, check: KeyCheck): Promise<string> {
    const { promise, resolve, reject } = Promise.withResolvers<string>()
    const waiting = { check, resolve, reject }
    if (!this.#shared.wait(object, waiting, Date.now())) {
      throw new StoreUnavailable(`${MOST_WAITING} checks wait for its Durable Object already`)
    }
    const { timeoutMs } = this.#parts
    const untilMs = Date.now() + timeoutMs
    const look = () => {
      const leftMs = untilMs - Date.now()
      if (leftMs > 0) {
        // Calls that were lost since make room, and who would have sent this one may be gone with them.
        this.#send(object)
        timer = setTimeout(look, Math.min(leftMs, CALL_LOST_MS))
        return
      }
      // One that was not sent yet is not to be charged any more.
      this.#shared.leave(object, waiting)
      reject(new StoreUnavailable(`the limiter did not answer within ${timeoutMs} ms`))
    }
    let timer = setTimeout(look, Math.min(timeoutMs, CALL_LOST_MS))
    try {
      this.#send(object)
      return await promise
    } finally {
      clearTimeout(timer)
      this.#send(object)
    }
  }

  /** Sends those who wait, if there is room for a call. */
  #send(object: string): void {
    const load = this.#shared.take(object, Date.now())
    if (load !== null) this.#parts.background(this.#carry(object, load))
  }

  /** Never fails: who waits is told. */
  async #carry(object: string, { call, waiting }: CallLoad<WaitingCheck>): Promise<void> {
    try {
      const answers = await this.#checkEach(
        object,
        waiting.map(({ check }) => check),
      )
      for (const [index, { resolve, reject }] of waiting.entries()) {
        const answer = answers[index]!
        if (typeof answer === "string") resolve(answer)
        else reject(answer)
      }
    } catch (error) {
      for (const { reject } of waiting) reject(error)
    } finally {
      this.#shared.end(call)
    }
  }

  /** Of a call that failed, what has an id is sent once more. */
  async #checkEach(object: string, checks: readonly KeyCheck[]): Promise<readonly (string | Error)[]> {
    const { calls, subject, timeoutMs } = this.#parts
    const manner = { repeatable: false, timeoutMs }
    const ask = async (some: readonly KeyCheck[]) => {
      const answers = await calls.call(object, (stub) => stub.checkEach(subject, some), manner)
      return answers.map((answer) => (typeof answer === "string" ? answer : ownError(answer)))
    }
    try {
      return await ask(checks)
    } catch (error) {
      const named = checks.filter(({ id }) => id !== undefined)
      if (named.length === 0 || !mayRepeat(error)) throw error
      const answers = (await ask(named).catch((again: Error) => named.map(() => again))).values()
      return checks.map(({ id }) => (id === undefined ? (error as Error) : answers.next().value!))
    }
  }
}
