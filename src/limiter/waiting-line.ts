import {
  checkFields,
  checkKind,
  having,
  type Kind,
  type Kinds,
  READ_ELSEWHERE,
  TEXT,
  whole,
} from "../policy/check-fields.js"
import { parseDurationArgument, TIMEOUT_RANGE } from "../policy/parse-duration.js"
import type { Duration } from "../policy/policy.js"
import type { Decision } from "../types/decision.js"
import { QueueFull, RateLimitExceeded, TimeoutExceeded } from "../types/errors.js"
import type { Awaitable, CheckOptions } from "../types/limiter.js"
import { Alarms, NEVER_MS } from "./alarms.js"
import { CHECKER, requireKey } from "./check-options.js"
import { isDeniedForGood } from "./denied-for-good.js"
import { isDecision, unfitAnswer } from "./is-decision.js"
import { noteWait } from "./key-waits.js"
import type { Standing } from "./limit-owner.js"
import type { LimitChoice } from "./named-limits.js"
import { Permit, type SettlingChecker } from "./permit.js"
import { mayCostLess, type Queue, type Waiter } from "./waiting-queue.js"
import { isPromised } from "./when-answered.js"

/** How to wait for admission. */
export interface AcquireOptions {
  /** Units to charge, 0 … 2^31; default what a check without a cost takes: 1, or what a configuration says. */
  readonly cost?: number
  /** The longest wait, 0 ms … 10 years; default without end. 0 does not wait at all. */
  readonly timeout?: Duration
  /** Ends the wait: the promise is rejected with the signal's reason, and nothing stays charged. */
  readonly signal?: AbortSignal
}

export interface WaitingLineOptions {
  /** The most calls that wait at a time, over all keys, 0 … 2^32 − 1; default 10,000. */
  readonly maxWaiting?: number | undefined
}

export const MAX_WAITING: Kind = whole(0, 2 ** 32 - 1)
const ACQUIRE_KINDS: Kinds<AcquireOptions & LimitChoice> = {
  cost: READ_ELSEWHERE,
  timeout: READ_ELSEWHERE,
  signal: having("throwIfAborted", "addEventListener"),
  limit: TEXT,
}
const DEFAULT_MAX_WAITING = 10_000

/**
 * Calls that wait for a limiter to admit them: first come, first served for each key, all on one timer.
 *
 * Only the first of a key asks the limiter, at once and then whenever the wait that it was told is over; so the limiter
 * may be any, and a key costs it one question for each admission and each wait. Where quota is known to have come back
 * before its time, the first asks at once. Calls of `check` beside the line do not stand in it.
 */
export class WaitingLine {
  readonly #limiter: SettlingChecker
  readonly #check: SettlingChecker["check"]
  readonly #maxWaiting: number
  readonly #queues = new Map<string, Queue>()
  readonly #alarms = new Alarms()
  #waiting = 0
  #came = 0

  /**
   * @param check how the limiter is asked; default its `check`
   * @throws {RangeError} where the limiter is none, or `maxWaiting` is out of range
   */
  constructor(
    limiter: SettlingChecker,
    options: WaitingLineOptions = {},
    check: SettlingChecker["check"] = (key, asked) => limiter.check(key, asked),
  ) {
    checkKind("wait", "limiter", limiter, CHECKER)
    checkFields("make a waiting line", options, { maxWaiting: MAX_WAITING })
    this.#limiter = limiter
    this.#check = check
    this.#maxWaiting = options.maxWaiting ?? DEFAULT_MAX_WAITING
  }

  /** How many calls wait, over all keys. */
  get size(): number {
    return this.#waiting
  }

  /**
   * Waits until a key is admitted, under the named limit where the limiter has several. Of a `leaky_bucket` the permit
   * comes when the request may leave, after `delayMs`.
   *
   * @param standing for whom limits are asked that count apart for several
   * @throws {TimeoutExceeded} at once where the wait is known to exceed the timeout, else when it does: then nothing is
   * charged. The timeout bounds the wait, not the answer of a limiter that is being asked
   * @throws {RateLimitExceeded} where no wait helps, as for a key on a configuration's `deny` list
   * @throws {QueueFull} where `maxWaiting` calls wait; the signal's reason; and whatever the limiter's `check` throws
   */
  acquire(key: string, options: AcquireOptions & LimitChoice = {}, standing: Standing = {}): Promise<Permit> {
    return new Promise((resolve, reject) => {
      checkFields("wait", options, ACQUIRE_KINDS)
      const { cost, timeout, signal, limit } = options
      signal?.throwIfAborted()
      const timeoutMs =
        timeout === undefined ? NEVER_MS : parseDurationArgument("wait", "timeout", timeout, TIMEOUT_RANGE)
      const deadlineMs = this.#alarms.now() + timeoutMs
      const choice = { ...(limit !== undefined && { limit }), ...standing.whose }
      const queue = this.#queueOf({ key, choice, standing })
      const isFirst = queue.waiters.size === 0
      if (!isFirst) {
        if (this.#waiting >= this.#maxWaiting) throw new QueueFull(key, this.#maxWaiting)
        // Nobody is admitted before the first is.
        if (queue.wake !== null && queue.wake.atMs > deadlineMs) throw this.#late(queue, timeoutMs)
      }
      this.#came += 1
      const waiter: Waiter = {
        key,
        choice,
        cost,
        standing,
        number: this.#came,
        deadlineMs,
        timeoutMs,
        resolve,
        reject,
        queue,
        alarm: null,
        stopListening: () => {},
        held: null,
        isDone: false,
      }
      if (signal !== undefined) {
        const onAbort = () => this.#abandon(waiter, signal.reason)
        signal.addEventListener("abort", onAbort, { once: true })
        waiter.stopListening = () => signal.removeEventListener("abort", onAbort)
      }
      this.#stand(waiter, queue)
      this.#waiting += 1
      if (isFirst) this.#ask(queue)
      else this.#setDeadline(waiter)
    })
  }

  /**
   * Has those who wait stand with those whom they are counted with from now on, as they came, and asks for them anew after
   * this call: for limits that put other names and policies in force.
   */
  regroup(): void {
    // Where the first is being asked for, its answer is awaited.
    const queues = [...this.#queues.values()].filter(({ wake }) => wake !== null)
    for (const queue of queues) this.#end(queue)
    const waiters = queues.flatMap((queue) => [...queue.waiters]).sort((one, other) => one.number - other.number)
    for (const waiter of waiters) {
      try {
        this.#stand(waiter, this.#queueOf(waiter))
      } catch (error) {
        this.#fail(waiter, error)
        continue
      }
      if (waiter.alarm === null) this.#setDeadline(waiter)
      const { queue } = waiter
      if (queue.waiters.size === 1) this.#askAt(queue, this.#alarms.now())
    }
  }

  /** The queue of those who are counted with one who waits; a new one where there is none. */
  #queueOf({ key, choice, standing }: Pick<Waiter, "key" | "choice" | "standing">): Queue {
    // JSON has no text for one.
    if (typeof key === "bigint") requireKey(key)
    const id = JSON.stringify([key, choice.limit, standing.countedAs?.()])
    return this.#queues.get(id) ?? { id, key, waiters: new Set(), wake: null, hasHeard: false, hearing: new Map() }
  }

  #stand(waiter: Waiter, queue: Queue): void {
    this.#queues.set(queue.id, queue)
    queue.waiters.add(waiter)
    waiter.queue = queue
  }

  #setDeadline(waiter: Waiter): void {
    const { deadlineMs, timeoutMs } = waiter
    if (deadlineMs === NEVER_MS) return
    waiter.alarm = this.#alarms.set(deadlineMs, () => this.#abandon(waiter, this.#late(waiter.queue, timeoutMs)))
  }

  #end({ id, wake, hearing }: Queue): void {
    this.#queues.delete(id)
    if (wake !== null) this.#alarms.cancel(wake)
    for (const end of hearing.values()) end()
  }

  /** The first of a queue asks, and where it is done at once, those after it. */
  #ask(queue: Queue): void {
    const { key } = queue
    for (;;) {
      const [first] = queue.waiters
      if (first === undefined) {
        this.#end(queue)
        return
      }
      // From now on the answer decides, not the deadline: it may be an admission.
      this.#clearAlarm(first)
      queue.hasHeard = false
      const { choice } = first
      const options: CheckOptions & LimitChoice = first.cost === undefined ? choice : { cost: first.cost, ...choice }
      let answer: Awaitable<Decision>
      try {
        answer = this.#check(key, options)
      } catch (error) {
        this.#fail(first, error)
        continue
      }
      if (isPromised(answer)) {
        this.#hearOf(queue, key)
        Promise.resolve(answer).then(
          (decision) => {
            if (this.#hear(queue, first, decision)) this.#ask(queue)
          },
          (error: unknown) => {
            this.#fail(first, error)
            this.#ask(queue)
          },
        )
        return
      }
      if (!this.#hear(queue, first, answer)) return
    }
  }

  /** Does as a decision says. Whether the first is done, so that the next may ask. */
  #hear(queue: Queue, first: Waiter, decision: Decision): boolean {
    if (!isDecision(decision) || !isWait(decision.allowed ? decision.delayMs : decision.retryAfterMs)) {
      this.#fail(first, unfitAnswer("wait", decision))
      return true
    }
    if (decision.allowed || first.isDone) {
      queue.waiters.delete(first)
      if (first.isDone) this.#giveBack(decision)
      else this.#admit(first, decision)
      return true
    }
    if (isDeniedForGood(decision)) {
      this.#fail(first, new RateLimitExceeded(decision))
      return true
    }
    if (this.#waiting > this.#maxWaiting) {
      this.#fail(first, new QueueFull(queue.key, this.#maxWaiting))
      return true
    }
    // It may be counted under another name than it is asked for: with a prefix, say.
    this.#hearOf(queue, decision.key)
    const waitMs = queue.hasHeard ? 0 : Math.max(1, decision.retryAfterMs)
    const wakeAtMs = this.#alarms.now() + waitMs
    if (first.deadlineMs < wakeAtMs) {
      this.#fail(first, new TimeoutExceeded(queue.key, first.timeoutMs, waitMs))
      return true
    }
    for (const waiter of queue.waiters) {
      if (waiter.deadlineMs >= wakeAtMs) continue
      this.#fail(waiter, new TimeoutExceeded(queue.key, waiter.timeoutMs, waitMs))
    }
    this.#askAt(queue, wakeAtMs)
    return false
  }

  #askAt(queue: Queue, atMs: number): void {
    if (queue.wake !== null) this.#alarms.cancel(queue.wake)
    queue.wake = this.#alarms.set(atMs, () => {
      queue.wake = null
      this.#ask(queue)
    })
  }

  /** From now on the queue hears of quota of a key that comes back before its time. */
  #hearOf(queue: Queue, key: string): void {
    if (queue.hearing.has(key)) return
    // Not within the call that gives back: who makes it goes on as if nobody waited.
    const hear = () => {
      const { wake } = queue
      const nowMs = this.#alarms.now()
      if (wake === null) queue.hasHeard = true
      else if (wake.atMs > nowMs) this.#askAt(queue, nowMs)
    }
    queue.hearing.set(key, noteWait(this.#limiter, key, hear))
  }

  /** Hands the permit out, or holds it until a leaky bucket's request may leave. */
  #admit(waiter: Waiter, decision: Decision): void {
    const { key, choice } = waiter
    const hand = () => {
      this.#close(waiter)
      waiter.resolve(new Permit(this.#limiter, decision, (units) => this.#limiter.charge?.(key, units, choice)))
    }
    if (decision.delayMs === 0) {
      hand()
      return
    }
    waiter.held = decision
    if (this.#waiting > this.#maxWaiting) {
      this.#abandon(waiter, new QueueFull(key, this.#maxWaiting))
      return
    }
    const leavesAtMs = this.#alarms.now() + decision.delayMs
    if (leavesAtMs <= waiter.deadlineMs) waiter.alarm = this.#alarms.set(leavesAtMs, hand)
    else this.#abandon(waiter, new TimeoutExceeded(key, waiter.timeoutMs, decision.delayMs))
  }

  /** The error of one behind the first who would have to wait for too long: until that one may ask again, at least. */
  #late({ key, wake }: Queue, timeoutMs: number): TimeoutExceeded {
    const retryAfterMs = wake === null ? 0 : Math.max(0, Math.ceil(wake.atMs - this.#alarms.now()))
    return new TimeoutExceeded(key, timeoutMs, retryAfterMs)
  }

  /** Ends a wait before its turn. */
  #abandon(waiter: Waiter, reason: unknown): void {
    const { held, queue } = waiter
    const [first] = queue.waiters
    if (waiter === first && queue.wake === null) {
      // It is being asked for: it keeps its place until the answer is there, which may have to be given back.
      this.#close(waiter)
      waiter.reject(reason)
      return
    }
    this.#fail(waiter, reason)
    const [next] = queue.waiters
    if (held) this.#giveBack(held)
    else if (waiter === first && (next === undefined || mayCostLess(next, waiter))) {
      // The next need not wait as long; one that costs as much is asked for in time. Without a next, the line ends.
      this.#alarms.cancel(queue.wake!)
      queue.wake = null
      this.#ask(queue)
    }
  }

  #fail(waiter: Waiter, reason: unknown): void {
    waiter.queue.waiters.delete(waiter)
    this.#close(waiter)
    waiter.reject(reason)
  }

  #close(waiter: Waiter): void {
    if (waiter.isDone) return
    waiter.isDone = true
    this.#waiting -= 1
    this.#clearAlarm(waiter)
    waiter.stopListening()
  }

  #clearAlarm(waiter: Waiter): void {
    if (waiter.alarm !== null) this.#alarms.cancel(waiter.alarm)
    waiter.alarm = null
  }

  /** Where giving back fails, the charge stands: that is stricter than it should be, never looser. */
  async #giveBack(decision: Decision): Promise<void> {
    try {
      await new Permit(this.#limiter, decision).refund()
    } catch {
      // As above. Nobody is left to hear of it.
    }
  }
}

/** Whether it is a number and not NaN. JSON makes `null` of a wait without end, which must not be taken for 0. */
function isWait(ms: unknown): boolean {
  return Number(ms) === ms
}
