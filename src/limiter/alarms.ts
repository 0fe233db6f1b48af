import { MAX_TIMER_MS } from "../policy/policy-range.js"

/** The time of what never happens. */
export const NEVER_MS = Number.POSITIVE_INFINITY

/** Something that happens at a time, until it is cancelled. */
export interface Alarm {
  /** In ms of `now()` of its `Alarms`. */
  readonly atMs: number
  /** `null` when it has rung or was cancelled. */
  ring: (() => void) | null
}

/**
 * Any number of alarms on one timer, which runs only while one is set. Times are of the monotonic clock, so that a wall
 * clock that is put back holds nobody up. Where that clock and the timer disagree, as under fake timers that leave
 * `performance` alone, the timer is right: what it was set for is due when it fires.
 */
export class Alarms {
  /** A binary heap: the parent of place i, at ⌊(i − 1) / 2⌋, is never later than it. */
  readonly #heap: Alarm[] = []
  #timer: ReturnType<typeof setTimeout> | undefined
  #timerAtMs = NEVER_MS
  #cancelled = 0
  /** How far timers have run ahead of the monotonic clock, where it stands still. */
  #aheadMs = 0
  /** When they were last together. */
  #togetherAtMs = 0

  /** Milliseconds of a clock that only goes forward, with what timers have run ahead of it. */
  now(): number {
    return performance.now() + this.#aheadMs
  }

  set(atMs: number, ring: () => void): Alarm {
    const alarm = { atMs, ring }
    this.#push(alarm)
    this.#arm()
    return alarm
  }

  cancel(alarm: Alarm): void {
    if (alarm.ring === null) return
    alarm.ring = null
    this.#cancelled += 1
    // Those that were cancelled stay until they are first, or are the most.
    if (this.#cancelled * 2 > this.#heap.length) {
      const kept = this.#heap.filter(({ ring }) => ring !== null)
      this.#heap.length = 0
      this.#cancelled = 0
      for (const each of kept) this.#push(each)
    }
    this.#arm()
  }

  /** Sets the timer for the first alarm, as far ahead as timers reach. */
  #arm(): void {
    const atMs = this.#heap[0]?.atMs ?? NEVER_MS
    if (atMs === this.#timerAtMs) return
    clearTimeout(this.#timer)
    this.#timerAtMs = atMs
    if (atMs === NEVER_MS) return
    const nowMs = this.now()
    const delayMs = Math.min(Math.max(0, Math.ceil(atMs - nowMs)), MAX_TIMER_MS)
    this.#timer = setTimeout(() => this.#ringDue(nowMs, delayMs), delayMs)
  }

  #ringDue(setAtMs: number, delayMs: number): void {
    this.#timerAtMs = NEVER_MS
    const firesAtMs = setAtMs + delayMs
    if (this.#aheadMs === 0) this.#togetherAtMs = setAtMs
    const aheadMs = firesAtMs - performance.now()
    // A clock that is coarse, or a timer that fires early, differs for a moment only: it must not add up.
    const hasStoodStill = aheadMs > performance.now() - this.#togetherAtMs
    this.#aheadMs = hasStoodStill ? aheadMs : 0
    const nowMs = Math.max(firesAtMs, this.now())
    while (this.#heap.length > 0 && this.#heap[0]!.atMs <= nowMs) {
      const alarm = this.#pop()
      const { ring } = alarm
      if (ring === null) this.#cancelled -= 1
      alarm.ring = null
      ring?.()
    }
    this.#arm()
  }

  #push(alarm: Alarm): void {
    const heap = this.#heap
    let place = heap.push(alarm) - 1
    while (place > 0) {
      const parent = (place - 1) >> 1
      if (heap[parent]!.atMs <= alarm.atMs) break
      heap[place] = heap[parent]!
      place = parent
    }
    heap[place] = alarm
  }

  #pop(): Alarm {
    const heap = this.#heap
    const first = heap[0]!
    const last = heap.pop()!
    if (heap.length === 0) return first
    let place = 0
    for (;;) {
      let child = 2 * place + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && heap[child + 1]!.atMs < heap[child]!.atMs) child += 1
      if (heap[child]!.atMs >= last.atMs) break
      heap[place] = heap[child]!
      place = child
    }
    heap[place] = last
    return first
  }
}
