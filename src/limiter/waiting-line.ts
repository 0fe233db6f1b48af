import { requireFields, requireKind } from "../policy/require-fields.js"
import { type AcquireOptions, WAITING_KIND, type WaitingLineOptions } from "./acquire-options.js"
import { type AskLimiter, askWithin } from "./ask-within.js"
import type { Standing } from "./limit-owner.js"
import { LoneWaits } from "./lone-waits.js"
import type { LimitChoice } from "./named-limits.js"
import { isOnWorkers } from "./on-workers.js"
import type { Permit, SettlingChecker } from "./permit.js"
import { CHECKER } from "./require-check-options.js"
import { SharedLine } from "./shared-line.js"

const DEFAULT_MAX_WAITING = 10_000

/**
 * Calls that wait for a limiter to admit them: first come, first served for each key, all on one timer.
 *
 * Only the first of a key asks the limiter, at once and then whenever the wait that it was told is over; so the limiter
 * may be any, and a key costs it one question for each admission and each wait. Where quota is known to have come back
 * before its time, the first asks at once. Calls of `check` beside the line do not stand in it.
 *
 * On Workers, where a timer ends with the request that set it, each call waits by itself: it asks whenever the wait
 * that it was told is over, and who is admitted first is chance.
 */
export class WaitingLine {
  readonly #limiter: SettlingChecker
  readonly #ask: AskLimiter
  readonly #maxWaiting: number
  /** `null` where each call waits by itself. */
  readonly #shared: SharedLine | null
  readonly #lone = new LoneWaits()

  /**
   * @param ask how the limiter is asked; default its `check`, and before that its `peek` where it may hold the request
   * for too long
   * @throws {RangeError} where the limiter is none, or `maxWaiting` is out of range
   */
  constructor(limiter: SettlingChecker, options: WaitingLineOptions = {}, ask = askWithin(limiter)) {
    requireKind("wait", "limiter", limiter, CHECKER)
    requireFields("make a waiting line", options, { maxWaiting: WAITING_KIND })
    this.#limiter = limiter
    this.#ask = ask
    this.#maxWaiting = options.maxWaiting ?? DEFAULT_MAX_WAITING
    this.#shared = isOnWorkers() ? null : new SharedLine(limiter, { ask, maxWaiting: this.#maxWaiting })
  }

  /**
   * How many calls wait, over all keys. On Workers, one whose request has ended is counted until it should have asked.
   */
  get size(): number {
    return this.#shared?.size ?? this.#lone.size
  }

  /**
   * Waits until a key is admitted, under the named limit where the limiter has several. Of a `leaky_bucket` the permit
   * comes when the request may leave: after `delayMs`, and not before those of the key that are held already.
   *
   * @param standing for whom limits are asked that count apart for several
   * @throws {TimeoutExceeded} at once where the wait is known to exceed the timeout, else when it does: then nothing is
   * charged. The timeout bounds the wait, not the answer of a limiter that is being asked
   * @throws {RateLimitExceeded} where no wait helps, as for a key on a configuration's `deny` list
   * @throws {QueueFull} where `maxWaiting` calls wait, and this one would wait no longer than its timeout; the signal's
   * reason; and whatever the limiter's `check` throws
   */
  acquire(key: string, options: AcquireOptions & LimitChoice = {}, standing: Standing = {}): Promise<Permit> {
    return this.#shared === null
      ? this.#waitAlone(key, options, standing)
      : this.#shared.acquire(key, options, standing)
  }

  #waitAlone(key: string, options: AcquireOptions & LimitChoice, standing: Standing): Promise<Permit> {
    const beside = this.#lone.countBelow(this.#maxWaiting)
    return this.#lone.during(this.#ask, (ask) => {
      const line = new SharedLine(this.#limiter, { ask, maxWaiting: this.#maxWaiting, beside, hears: false })
      return line.acquire(key, options, standing)
    })
  }

  /**
   * Has those who wait stand with those whom they are counted with from now on, as they came, and asks for them anew
   * after this call: for limits that put other names and policies in force. Who is admitted and held already is held as
   * before, and who waits by himself asks when his wait is over.
   */
  regroup(): void {
    this.#shared?.regroup()
  }
}
