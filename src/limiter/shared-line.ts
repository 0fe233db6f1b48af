import { isPromised } from "../lib/awaitable.js"
import type { Decision } from "../types/decision.js"
import { QueueFull, RateLimitExceeded, TimeoutExceeded } from "../types/errors.js"
import { isDecision } from "../types/is-decision.js"
import type { Awaitable, CheckOptions } from "../types/limiter.js"
import type { AcquireOptions } from "./acquire-options.js"
import { Alarms } from "./alarms.js"
import type { AskLimiter } from "./ask-within.js"
import { isDeniedForGood } from "./denied-for-good.js"
import { HeldRequests } from "./held-requests.js"
import type { Standing } from "./limit-owner.js"
import type { LimitChoice } from "./named-limits.js"
import { turnMsOf } from "./next-hold.js"
import { Permit, type SettlingChecker } from "./permit.js"
import { requireKey } from "./require-check-options.js"
import { unfitAnswer } from "./require-decision.js"
import { Waiter } from "./waiter.js"
import { WaitingQueue } from "./waiting-queue.js"

interface LineOptions {
  readonly ask: AskLimiter
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
  readonly #askLimiter: AskLimiter
  readonly #maxWaiting: number
  /** How many of those may stand in this line. */
  readonly #room: number
  readonly #hears: boolean
  readonly #queues = new Map<string, WaitingQueue>()
  readonly #alarms = new Alarms()
  readonly #held = new HeldRequests<Waiter>(this.#alarms, (waiter) => this.#hand(waiter, waiter.held!.decision))
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
      const nowMs = this.#alarms.now()
      const onEnd = () => {
        this.#waiting -= 1
      }
      const waiter = new Waiter({ key, options, standing, nowMs, resolve, reject, onEnd }, this.#alarms)
      const queue = this.#queueOf(waiter)
      const { first } = queue
      if (first !== undefined) {
        // Nobody is admitted before the first is, unless that one leaves.
        const isLate = queue.asksAtMs !== null && waiter.leftMs(queue.asksAtMs) < 0
        if (isLate && !waiter.mayPass(first)) throw queue.late(waiter.timeoutMs)
        if (this.#waiting >= this.#room) throw this.#noRoom(waiter)
      }
      waiter.hasRoom = this.#waiting < this.#room
      this.#came += 1
      waiter.number = this.#came
      waiter.listen((reason) => this.#abandon(waiter, reason))
      this.#stand(waiter, queue)
      this.#waiting += 1
      if (first === undefined) this.#ask(queue, nowMs)
      else this.#setDeadline(waiter)
    })
  }

  /** As `WaitingLine.regroup`. */
  regroup(): void {
    // Where the first is being asked for, its answer is awaited.
    const queues = [...this.#queues.values()].filter(({ asksAtMs }) => asksAtMs !== null)
    for (const queue of queues) this.#end(queue)
    const waiters = queues.flatMap((queue) => [...queue.waiters]).sort((one, other) => one.number - other.number)
    for (const waiter of waiters) {
      let queue: WaitingQueue
      try {
        queue = this.#queueOf(waiter)
      } catch (error) {
        waiter.refuse(error)
        continue
      }
      this.#stand(waiter, queue)
      if (!waiter.hasDeadline) this.#setDeadline(waiter)
      if (queue.waiters.size === 1) queue.askAt(this.#alarms.now())
    }
  }

  /** The queue of those who are counted with one who waits; a new one where there is none. */
  #queueOf(waiter: Waiter): WaitingQueue {
    const id = idOf(waiter)
    const parts = { alarms: this.#alarms, ask: (queue: WaitingQueue) => this.#ask(queue) }
    return this.#queues.get(id) ?? new WaitingQueue(id, waiter.key, parts)
  }

  #stand(waiter: Waiter, queue: WaitingQueue): void {
    this.#queues.set(queue.id, queue)
    queue.waiters.add(waiter)
    waiter.queueId = queue.id
  }

  #setDeadline(waiter: Waiter, atMs = waiter.deadlineMs): void {
    waiter.setDeadline(atMs, () => {
      const queue = this.#queues.get(waiter.queueId)!
      const { asksAtMs } = queue
      // Where the first asks just now, its answer comes first, unless that takes time.
      if (asksAtMs !== null && waiter.leftMs(asksAtMs) >= 0) this.#setDeadline(waiter, asksAtMs + 1)
      else this.#abandon(waiter, queue.late(waiter.timeoutMs))
    })
  }

  #end(queue: WaitingQueue): void {
    this.#queues.delete(queue.id)
    queue.end()
  }

  /** The first of a queue asks, and where it is done at once, those after it. */
  #ask(queue: WaitingQueue, fromMs = this.#alarms.now()): void {
    const { key } = queue
    for (let nowMs = fromMs; ; nowMs = this.#alarms.now()) {
      const { first } = queue
      if (first === undefined) {
        this.#end(queue)
        return
      }
      // From now on the answer decides, not the deadline: it may be an admission.
      first.clearDeadline()
      queue.hasHeard = false
      const { choice } = first
      const maxDelayMs = this.#maxDelayMs(first, nowMs)
      const waitMs = this.#held.waitMs(queue.id, nowMs)
      if (Math.floor(waitMs) > maxDelayMs) {
        // Nobody leaves before those who are held, whatever the limiter would say.
        this.#fail(first, this.#tooLong(first, Math.ceil(waitMs), nowMs))
        continue
      }
      const options: CheckOptions & LimitChoice = first.cost === undefined ? choice : { cost: first.cost, ...choice }
      let answer: Awaitable<Decision>
      try {
        answer = this.#askLimiter(key, options, maxDelayMs)
      } catch (error) {
        this.#fail(first, error)
        continue
      }
      if (isPromised(answer)) {
        this.#hearOf(queue, key)
        Promise.resolve(answer).then(
          (decision) => {
            if (this.#hear(queue, first, decision, maxDelayMs, this.#alarms.now())) this.#ask(queue)
          },
          (error: unknown) => {
            this.#fail(first, error)
            this.#ask(queue)
          },
        )
        return
      }
      if (!this.#hear(queue, first, answer, maxDelayMs, nowMs)) return
    }
  }

  /** As `#obey`; an answer of which nothing can be made fails the first. Only so do those behind it go on. */
  #hear(queue: WaitingQueue, first: Waiter, decision: Decision, askedDelayMs: number, nowMs: number): boolean {
    try {
      return this.#obey(queue, first, decision, askedDelayMs, nowMs)
    } catch (error) {
      this.#fail(first, error)
      return true
    }
  }

  /**
   * Does as a decision says. Whether the first is done, so that the next may ask.
   *
   * @param askedDelayMs above which a delay was not charged
   * @param nowMs from when a wait that it tells is compared with timeouts
   */
  #obey(queue: WaitingQueue, first: Waiter, decision: Decision, askedDelayMs: number, nowMs: number): boolean {
    if (!isDecision(decision) || !isWait(decision.allowed ? decision.delayMs : decision.retryAfterMs)) {
      this.#fail(first, unfitAnswer("wait", decision))
      return true
    }
    if (decision.allowed || first.isDone) {
      queue.waiters.delete(first)
      if (first.isDone) this.#giveBack(decision)
      else this.#admit(queue, first, decision, Math.min(askedDelayMs, this.#maxDelayMs(first, nowMs)))
      return true
    }
    if (isDeniedForGood(decision)) {
      this.#fail(first, new RateLimitExceeded(decision))
      return true
    }
    const waitMs = queue.hasHeard ? 0 : Math.max(1, decision.retryAfterMs)
    if (first.leftMs(nowMs) < waitMs) {
      this.#fail(first, new TimeoutExceeded(queue.key, first.timeoutMs, waitMs))
      return true
    }
    if (!this.#hasRoom(first)) {
      this.#fail(first, this.#noRoom(first))
      return true
    }
    first.hasRoom = true
    // It may be counted under another name than it is asked for: with a prefix, say.
    this.#hearOf(queue, decision.key)
    for (const waiter of queue.waiters) {
      if (waiter.leftMs(nowMs) >= waitMs || waiter.mayPass(first)) continue
      this.#fail(waiter, new TimeoutExceeded(queue.key, waiter.timeoutMs, waitMs))
    }
    // The limiter may have read its clock a moment later.
    queue.askAt(this.#alarms.now() + waitMs)
    return false
  }

  /** Whether it may wait. Who once could is not put out by those who come later and are only being asked for. */
  #hasRoom(waiter: Waiter): boolean {
    return waiter.hasRoom || this.#waiting <= this.#room
  }

  /** From now on the queue hears of quota of a key that comes back before its time. */
  #hearOf(queue: WaitingQueue, key: string): void {
    if (this.#hears) queue.hearOf(this.#limiter, key)
  }

  /** How long one whose turn it is may be held: not at all where too many wait. */
  #maxDelayMs(waiter: Waiter, nowMs: number): number {
    return this.#hasRoom(waiter) ? Math.max(0, waiter.leftMs(nowMs)) : 0
  }

  /** The error of one who would be held for too long, or beside too many. */
  #tooLong(waiter: Waiter, waitMs: number, nowMs: number): QueueFull | TimeoutExceeded {
    const { key, timeoutMs } = waiter
    const isLate = waitMs > waiter.leftMs(nowMs)
    return isLate ? new TimeoutExceeded(key, timeoutMs, waitMs) : this.#noRoom(waiter)
  }

  /** The error of one who may not wait beside so many. Who does not wait at all needs no room. */
  #noRoom({ key, timeoutMs }: Waiter): QueueFull | TimeoutExceeded {
    return timeoutMs === 0 ? new TimeoutExceeded(key, timeoutMs) : new QueueFull(key, this.#maxWaiting)
  }

  /** Hands the permit out, or holds it until a leaky bucket's request may leave, if that is not too long. */
  #admit(queue: WaitingQueue, waiter: Waiter, decision: Decision, maxDelayMs: number): void {
    const { delayMs } = decision
    const nowMs = this.#alarms.now()
    const waitMs = this.#held.waitMs(queue.id, nowMs)
    if (delayMs === 0 && !this.#held.has(queue.id)) {
      this.#hand(waiter, decision)
    } else if (Math.max(delayMs, Math.floor(waitMs)) > maxDelayMs) {
      this.#fail(waiter, this.#tooLong(waiter, Math.max(delayMs, Math.ceil(waitMs)), nowMs))
      this.#giveBack(decision)
    } else {
      const place = this.#held.hold(queue.id, waiter, { leavesAtMs: nowMs + delayMs, turnMs: turnMsOf(decision) })
      waiter.held = { decision, place }
    }
  }

  #hand(waiter: Waiter, decision: Decision): void {
    const { key, choice } = waiter
    try {
      waiter.admit(new Permit(this.#limiter, decision, (units) => this.#limiter.charge?.(key, units, choice)))
    } catch (error) {
      // Where it was held, a timer hands it out: nobody else would hear of it.
      waiter.refuse(error)
    }
  }

  /** Ends a wait before its turn. */
  #abandon(waiter: Waiter, reason: unknown): void {
    const { held } = waiter
    if (held !== null) {
      this.#held.end(held.place)
      waiter.refuse(reason)
      this.#giveBack(held.decision)
      return
    }
    const queue = this.#queues.get(waiter.queueId)!
    const isFirst = waiter === queue.first
    if (isFirst && queue.asksAtMs === null) {
      // It is being asked for: it keeps its place until the answer is there, which may have to be given back.
      waiter.refuse(reason)
      return
    }
    this.#fail(waiter, reason)
    const { first: next } = queue
    // The next need not wait as long; one that costs as much is asked for in time. Without a next, the queue ends.
    if (isFirst && (next === undefined || next.mayCostLess(waiter))) queue.ask()
  }

  #fail(waiter: Waiter, reason: unknown): void {
    this.#queues.get(waiter.queueId)?.waiters.delete(waiter)
    waiter.refuse(reason)
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

/** Equal for those who are counted together. */
function idOf({ key, choice, standing }: Waiter): string {
  // JSON has no text for one.
  if (typeof key === "bigint") requireKey(key)
  return JSON.stringify([key, choice.limit, standing.countedAs?.()])
}

/** Whether it is a number and not NaN. JSON makes `null` of a wait without end, which must not be taken for 0. */
function isWait(ms: unknown): boolean {
  return Number(ms) === ms
}
