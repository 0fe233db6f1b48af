import { type CallLoad, MAX_WAITING, SharedCalls } from "../src/edge/shared-calls.js"
import { withDeadline } from "../src/http/with-deadline.js"
import { BroughtOutcome, LOOK_MS } from "../src/lib/brought-outcome.js"
import { StoreUnavailable } from "../src/types/errors.js"
import { mayRepeat, type ObjectCalls, ownError } from "./object-calls.js"
import type { KeyCheck, SubjectText } from "./subject.js"

/** A check that waits to be sent with others, and its answer. */
interface WaitingCheck {
  readonly check: KeyCheck
  readonly outcome: BroughtOutcome<string | Error>
}

export interface CallSharingParts {
  readonly calls: ObjectCalls
  /** What is the same for all checks of a limit. */
  readonly subjectText: SubjectText
  /** How long a check waits in all, ms. */
  readonly timeoutMs: number
  /** Lets a call that others wait for go on when the request that makes it is over. */
  readonly background: (work: Promise<unknown>) => void
}

/**
 * Sends checks of one limit, several of one object in one call where many come at once.
 *
 * A call belongs to the request that makes it, and goes with it. So those who wait are sent by a request that is there:
 * by one that just was answered, or by one that waits. The call goes on in the background of that request when it is
 * answered or its client is gone; and where it is lost all the same, those who wait fail by timers of their own. Then
 * nobody knows whether they were charged, so nothing is sent again but what has an id.
 */
export class CallSharing {
  readonly #parts: CallSharingParts
  readonly #shared = new SharedCalls<WaitingCheck>()

  constructor(parts: CallSharingParts) {
    this.#parts = parts
  }

  /** Whether a request goes on that waits for another's: with compatibility dates before 2024-10-14 it does not. */
  static isPossible(): boolean {
    if (typeof Cloudflare !== "object") return false
    return Cloudflare.compatibilityFlags["handle_cross_request_promise_resolution"] === true
  }

  /**
   * @param alone sends the check in a call of its own
   * @returns the decision, to be read by `readRpcDecision`
   * @throws {StoreUnavailable} where too many wait, or nothing was heard in time; else as `LimiterObject.decide`
   */
  ask(object: string, check: KeyCheck, alone: () => Promise<string>): Promise<string> {
    const call = this.#shared.begin(object, Date.now())
    if (call === null) return this.#askTogether(object, check)
    const answer = alone()
    const end = () => {
      if (this.#shared.end(call)) this.#send(object)
    }
    // Before whoever asked goes on: those who wait are sent by a request that is there.
    answer.then(end, end)
    return answer
  }

  async #askTogether(object: string, check: KeyCheck): Promise<string> {
    const outcome = new BroughtOutcome<string | Error>()
    const waiting: WaitingCheck = { check, outcome }
    const nowMs = Date.now()
    const place = this.#shared.wait(object, waiting, nowMs)
    if (place > MAX_WAITING) {
      throw new StoreUnavailable("too many checks wait")
    }
    const { timeoutMs } = this.#parts
    const send = () => this.#send(object)
    // The first of those who wait looks after them all. The others do so later, for its request may be cancelled.
    const firstLookMs = place === 1 ? Math.max(1, this.#shared.patienceMs(object, nowMs)) : LOOK_MS
    try {
      send()
      const answer = await outcome.wait({ timeoutMs, firstLookMs, onLook: send })
      if (answer === undefined) {
        // One that was not sent yet is not to be charged any more.
        this.#shared.leave(object, waiting)
        throw new StoreUnavailable(`the limiter did not answer within ${timeoutMs} ms`)
      }
      if (answer instanceof Error) throw answer
      return answer
    } finally {
      send()
    }
  }

  /** Sends those who wait, if there is room for a call. */
  #send(object: string): void {
    const load = this.#shared.take(object, Date.now())
    if (load === null) return
    this.#parts.background(this.#carry(object, load))
  }

  /** Never fails: who waits is told. */
  async #carry(object: string, { call, waiting }: CallLoad<WaitingCheck>): Promise<void> {
    try {
      const checks = waiting.map(({ check }) => check)
      const answers = await withDeadline(this.#checkEach(object, checks), this.#parts.timeoutMs)
      for (const [index, { outcome }] of waiting.entries()) outcome.bring(answers[index]!)
    } catch (error) {
      for (const { outcome } of waiting) outcome.bring(error as Error)
    } finally {
      this.#shared.end(call)
    }
  }

  /** Of a call that failed, what has an id is sent once more. */
  async #checkEach(object: string, checks: readonly KeyCheck[]): Promise<readonly (string | Error)[]> {
    const { calls, subjectText } = this.#parts
    const ask = async (some: readonly KeyCheck[]) => {
      const answers = await calls.call(object, (stub) => stub.decideEach(subjectText, some), { repeatable: false })
      return answers.map((answer) => (answer instanceof Error ? ownError(answer) : answer))
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
