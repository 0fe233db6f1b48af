import { parseDurationArgument, TIMEOUT_RANGE } from "../policy/parse-duration.js"
import { requireFields } from "../policy/require-fields.js"
import type { Decision } from "../types/decision.js"
import { ACQUIRE_KINDS, type AcquireOptions } from "./acquire-options.js"
import { type Alarm, type Alarms, NEVER_MS } from "./alarms.js"
import type { Held } from "./held-requests.js"
import type { Standing } from "./limit-owner.js"
import type { LimitChoice } from "./named-limits.js"
import type { Permit } from "./permit.js"

/** Limiters count in whole ms: less is what asking took, not what a wait is too long by. */
const PART_OF_MS = 0.99

/** For what somebody waits, and who hears how that ends. */
interface Wait {
  readonly key: string
  readonly options: AcquireOptions & LimitChoice
  readonly standing: Standing
  readonly nowMs: number
  readonly resolve: (permit: Permit) => void
  readonly reject: (reason: unknown) => void
  /** Called when the wait is over, before that is told. */
  readonly onEnd: () => void
}

/** A call that waits. */
export class Waiter {
  readonly key: string
  /** The named limit that is asked, where one was named, and for whom. */
  readonly choice: LimitChoice
  /** `undefined` where none was given: the limiter knows what it takes then. */
  readonly cost: number | undefined
  readonly standing: Standing
  readonly timeoutMs: number
  /** Of the monotonic clock; infinite without a timeout. */
  readonly deadlineMs: number
  /** Greater than those of all who came before. */
  number = 0
  /** Whether it was found to be one of the `maxWaiting`. */
  hasRoom = false
  /** The queue that it stands in, until it is admitted. */
  queueId = ""
  /**
   * The admission of one that may not leave yet, which goes back where the wait is ended, and its place among those.
   */
  held: { readonly decision: Decision; readonly place: Held<Waiter> } | null = null
  readonly #wait: Wait
  readonly #alarms: Alarms
  /** Rings when it gives up. */
  #deadline: Alarm | null = null
  /** What the signal calls, until it has. */
  #onAbort: (() => void) | null = null
  /** Whether its promise is settled, be it while the limiter is still being asked. */
  isDone = false

  /** @throws where an option is none, is of another kind or out of range; the signal's reason where it was aborted */
  constructor(wait: Wait, alarms: Alarms) {
    const { key, options, standing, nowMs } = wait
    requireFields("wait", options, ACQUIRE_KINDS)
    const { cost, timeout, signal, limit } = options
    signal?.throwIfAborted()
    this.key = key
    this.choice = { ...(limit !== undefined && { limit }), ...standing.whose }
    this.cost = cost
    this.standing = standing
    this.timeoutMs = timeout === undefined ? NEVER_MS : parseDurationArgument("wait", "timeout", timeout, TIMEOUT_RANGE)
    this.deadlineMs = nowMs + this.timeoutMs
    this.#wait = wait
    this.#alarms = alarms
  }

  /** Whether a time is set at which it gives up. */
  get hasDeadline(): boolean {
    return this.#deadline !== null
  }

  /** How long may be waited from a time on, in whole ms; negative where the deadline is over. */
  leftMs(fromMs: number): number {
    return Math.floor(this.deadlineMs - fromMs + PART_OF_MS)
  }

  /** Whether this one costs less than another one, as far as that is known before they are asked for. */
  mayCostLess({ cost: other }: Waiter): boolean {
    const { cost } = this
    return cost === undefined || other === undefined ? cost !== other : cost < other
  }

  /**
   * Whether its turn may come before the one that the first would have: that one may leave, and this one then need not
   * wait as long. One who does not wait at all is not there any more by then.
   */
  mayPass(first: Waiter): boolean {
    return first.#wait.options.signal !== undefined && this.timeoutMs > 0 && this.mayCostLess(first)
  }

  /** Calls once where the signal ends the wait, with its reason. */
  listen(onAbort: (reason: unknown) => void): void {
    const { signal } = this.#wait.options
    if (signal === undefined) return
    this.#onAbort = () => {
      // The signal has let it go: looking for it costs the number of all who listen, and they may all end now.
      this.#onAbort = null
      onAbort(signal.reason)
    }
    signal.addEventListener("abort", this.#onAbort, { once: true })
  }

  /** Sets when it gives up: at a time in ms of the alarms, or never. */
  setDeadline(atMs: number, giveUp: () => void): void {
    if (atMs !== NEVER_MS) this.#deadline = this.#alarms.set(atMs, giveUp)
  }

  clearDeadline(): void {
    if (this.#deadline !== null) this.#alarms.cancel(this.#deadline)
    this.#deadline = null
  }

  admit(permit: Permit): void {
    this.#end()
    this.#wait.resolve(permit)
  }

  refuse(reason: unknown): void {
    this.#end()
    this.#wait.reject(reason)
  }

  #end(): void {
    if (this.isDone) return
    this.isDone = true
    this.clearDeadline()
    if (this.#onAbort !== null) this.#wait.options.signal?.removeEventListener("abort", this.#onAbort)
    this.#wait.onEnd()
  }
}
