import { isPromised } from "../lib/awaitable.js"
import { checkFields } from "../policy/check-fields.js"
import { parseDurationArgument, TIMEOUT_RANGE } from "../policy/parse-duration.js"
import type { Decision } from "../types/decision.js"
import { QueueFull, RateLimitExceeded, TimeoutExceeded } from "../types/errors.js"
import type { Awaitable, CheckOptions } from "../types/limiter.js"
import { ACQUIRE_KINDS, type AcquireOptions } from "./acquire-options.js"
import { Alarms, NEVER_MS } from "./alarms.js"
import type { Ask } from "./ask-within.js"
import { requireKey } from "./check-options.js"
import { isDeniedForGood } from "./denied-for-good.js"
import { isDecision, unfitAnswer } from "./is-decision.js"
import { noteWait } from "./key-waits.js"
import type { Standing } from "./limit-owner.js"
import type { LimitChoice } from "./named-limits.js"
import { Permit, type SettlingChecker } from "./permit.js"
import { mayCostLess, type Queue, type Waiter } from "./waiting-queue.js"

/** Limiters count in whole ms: less is what asking took, not what a wait is too long by. */
const PART_OF_MS = 0.99

interface LineOptions {
  readonly ask: Ask
  /** The most calls that wait at a time, those beside this line with them. */
  readonly maxWaiting: number
  /** How many wait beside this line. */
  readonly beside?: number
  /** Whether it hears of quota that comes back before its time. */
  readonly hears?: boolean
}

/** A line as `WaitingLine` tells of it, on one timer. */
export class SharedLine {
  readonly #limiter: SettlingChecker
  readonly #askLimiter: Ask
  readonly #maxWaiting: number
  /** How many of those may stand in this line. */
  readonly #room: number
  readonly #hears: boolean
  readonly #queues = new Map<string, Queue>()
  readonly #alarms = new Alarms()
  #waiting = 0
  #came = 0

  constructor(limiter: SettlingChecker, { ask, maxWaiting, beside = 0, hears = true }: LineOptions) {
    this.#limiter = limiter
    this.#askLimiter = ask
    this.#maxWaiting = maxWaiting
    this.#room = maxWaiting - beside
    this.#hears = hears
  }

  /** How many calls wait, over all keys. */
  get size(): number {
    return this.#waiting
  }

  /** As `WaitingLine.acquire`. */
  acquire(key: string, options: AcquireOptions & LimitChoice, standing: Standing): Promise<Permit> {
    return new Promise((resolve, reject) => {
      checkFields("wait", options, ACQUIRE_KINDS)
      const { cost, timeout, signal, limit } = options
      signal?.throwIfAborted()
      const timeoutMs =
        timeout === undefined ? NEVER_MS : parseDurationArgument("wait", "timeout", timeout, TIMEOUT_RANGE)
      const nowMs = this.#alarms.now()
      const deadlineMs = nowMs + timeoutMs
      const choice = { ...(limit !== undefined && { limit }), ...standing.whose }
      const queue = this.#queueOf({ key, choice, standing })
      const isFirst = queue.waiters.size === 0
      if (!isFirst) {
        if (this.#waiting >= this.#room) throw new QueueFull(key, this.#maxWaiting)
        // Nobody is admitted before the first is.
        if (queue.wake !== null && leftMs(deadlineMs, queue.wake.atMs) < 0) throw this.#late(queue, timeoutMs)
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
        const onAbort = () => {
          // The signal has let it go: looking for it costs the number of all who listen, and they may all end now.
          waiter.stopListening = () => {}
          this.#abandon(waiter, signal.reason)
        }
        signal.addEventListener("abort", onAbort, { once: true })
        waiter.stopListening = () => signal.removeEventListener("abort", onAbort)
      }
      this.#stand(waiter, queue)
      this.#waiting += 1
      if (isFirst) this.#ask(queue, nowMs)
      else this.#setDeadline(waiter)
    })
  }

  /** As `WaitingLine.regroup`. */
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

  #setDeadline(waiter: Waiter, atMs = waiter.deadlineMs): void {
    if (atMs === NEVER_MS) return
    waiter.alarm = this.#alarms.set(atMs, () => {
      const { deadlineMs, timeoutMs, queue } = waiter
      // Where the first asks just now, its answer comes first, unless that takes time.
      if (queue.wake !== null && leftMs(deadlineMs, queue.wake.atMs) >= 0)
        this.#setDeadline(waiter, queue.wake.atMs + 1)
      else this.#abandon(waiter, this.#late(queue, timeoutMs))
    })
  }

  #end({ id, wake, hearing }: Queue): void {
    this.#queues.delete(id)
    if (wake !== null) this.#alarms.cancel(wake)
    for (const end of hearing.values()) end()
  }

  /** The first of a queue asks, and where it is done at once, those after it. */
  #ask(queue: Queue, fromMs = this.#alarms.now()): void {
    const { key } = queue
    for (let nowMs = fromMs; ; nowMs = this.#alarms.now()) {
      const [first] = queue.waiters
      if (first === undefined) {
        this.#end(queue)
        return
      }
      // From now on the answer decides, not the deadline: it may be an admission.
      this.#clearAlarm(first)
      queue.hasHeard = false
      const { choice } = first
      const mostDelayMs = this.#mostDelayMs(first, nowMs)
      const options: CheckOptions & LimitChoice = first.cost === undefined ? choice : { cost: first.cost, ...choice }
      let answer: Awaitable<Decision>
      try {
        answer = this.#askLimiter(key, options, mostDelayMs)
      } catch (error) {
        this.#fail(first, error)
        continue
      }
      if (isPromised(answer)) {
        this.#hearOf(queue, key)
        Promise.resolve(answer).then(
          (decision) => {
            if (this.#hear(queue, first, decision, mostDelayMs, this.#alarms.now())) this.#ask(queue)
          },
          (error: unknown) => {
            this.#fail(first, error)
            this.#ask(queue)
          },
        )
        return
      }
      if (!this.#hear(queue, first, answer, mostDelayMs, nowMs)) return
    }
  }

  /**
   * Does as a decision says. Whether the first is done, so that the next may ask.
   *
   * @param askedDelayMs above which a delay was not charged
   * @param nowMs from when a wait that it tells is compared with timeouts
   */
  #hear(queue: Queue, first: Waiter, decision: Decision, askedDelayMs: number, nowMs: number): boolean {
    if (!isDecision(decision) || !isWait(decision.allowed ? decision.delayMs : decision.retryAfterMs)) {
      this.#fail(first, unfitAnswer("wait", decision))
      return true
    }
    if (decision.allowed || first.isDone) {
      queue.waiters.delete(first)
      if (first.isDone) this.#giveBack(decision)
      else this.#admit(first, decision, Math.min(askedDelayMs, this.#mostDelayMs(first, nowMs)))
      return true
    }
    if (isDeniedForGood(decision)) {
      this.#fail(first, new RateLimitExceeded(decision))
      return true
    }
    if (this.#waiting > this.#room) {
      this.#fail(first, new QueueFull(queue.key, this.#maxWaiting))
      return true
    }
    // It may be counted under another name than it is asked for: with a prefix, say.
    this.#hearOf(queue, decision.key)
    const waitMs = queue.hasHeard ? 0 : Math.max(1, decision.retryAfterMs)
    if (leftMs(first.deadlineMs, nowMs) < waitMs) {
      this.#fail(first, new TimeoutExceeded(queue.key, first.timeoutMs, waitMs))
      return true
    }
    for (const waiter of queue.waiters) {
      if (leftMs(waiter.deadlineMs, nowMs) >= waitMs) continue
      this.#fail(waiter, new TimeoutExceeded(queue.key, waiter.timeoutMs, waitMs))
    }
    // The limiter may have read its clock a moment later.
    this.#askAt(queue, this.#alarms.now() + waitMs)
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
    if (!this.#hears || queue.hearing.has(key)) return
    // Not within the call that gives back: who makes it goes on as if nobody waited.
    const hear = () => {
      const { wake } = queue
      const nowMs = this.#alarms.now()
      if (wake === null) queue.hasHeard = true
      else if (wake.atMs > nowMs) this.#askAt(queue, nowMs)
    }
    queue.hearing.set(key, noteWait(this.#limiter, key, hear))
  }

  /** How long one whose turn it is may be held: not at all where too many wait. */
  #mostDelayMs({ deadlineMs }: Waiter, nowMs: number): number {
    return this.#waiting > this.#room ? 0 : Math.max(0, leftMs(deadlineMs, nowMs))
  }

  /** Hands the permit out, or holds it until a leaky bucket's request may leave, if that is not too long. */
  #admit(waiter: Waiter, decision: Decision, mostDelayMs: number): void {
    const { key, choice, deadlineMs, timeoutMs } = waiter
    const { delayMs } = decision
    const hand = () => {
      this.#close(waiter)
      waiter.resolve(new Permit(this.#limiter, decision, (units) => this.#limiter.charge?.(key, units, choice)))
    }
    if (delayMs === 0) {
      hand()
      return
    }
    waiter.held = decision
    const nowMs = this.#alarms.now()
    if (delayMs <= mostDelayMs) waiter.alarm = this.#alarms.set(nowMs + delayMs, hand)
    else {
      const isFull = this.#waiting > this.#room || delayMs <= leftMs(deadlineMs, nowMs)
      this.#abandon(
        waiter,
        isFull ? new QueueFull(key, this.#maxWaiting) : new TimeoutExceeded(key, timeoutMs, delayMs),
      )
    }
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

/** How long may be waited from a time on, in whole ms; negative where the deadline is over. */
function leftMs(deadlineMs: number, fromMs: number): number {
  return Math.floor(deadlineMs - fromMs + PART_OF_MS)
}

/** Whether it is a number and not NaN. JSON makes `null` of a wait without end, which must not be taken for 0. */
function isWait(ms: unknown): boolean {
  return Number(ms) === ms
}
