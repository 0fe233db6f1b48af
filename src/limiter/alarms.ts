import { MAX_TIMER_MS } from "../policy/policy-range.js"
import { TimerClock } from "./timer-clock.js"

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
 * Any number of alarms on one timer, which runs only while one is set. Where the clock and the timer disagree, as under
 * fake timers that stand in for no clock, the timer is right: what it was set for is due when it fires.
 */
export class Alarms {
  /** A binary heap: the parent of place i, at ⌊(i − 1) / 2⌋, is never later than it. */
  readonly #heap: Alarm[] = []
  #timer: ReturnType<typeof setTimeout> | undefined
  #timerAtMs = NEVER_MS
  #cancelled = 0
  readonly #clock = new TimerClock()
  /** How far timers have run ahead of the clock, where it stands still. */
  #aheadMs = 0
  /** When they were last together. */
  #togetherAtMs = 0
  #latestMs = 0

  /**
   * Milliseconds of a clock that only goes forward, with what timers have run ahead of it. It stands still until the
   * clock has made up for what is no longer added.
   */
  now(): number {
    this.#latestMs = Math.max(this.#latestMs, this.#clock.now() + this.#aheadMs)
    return this.#latestMs
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
    while (this.#heap[0]?.ring === null) {
      this.#pop()
      this.#cancelled -= 1
    }
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
    const clockMs = this.#clock.now()
    const aheadMs = firesAtMs - clockMs
    // A clock that is coarse, or a timer that fires early, differs for a moment only: it must not add up.
    const hasStoodStill = aheadMs > clockMs - this.#togetherAtMs
    this.#aheadMs = hasStoodStill ? aheadMs : 0
    // Timers count from the whole ms before they were set, and so fire a part of one early: then the rest is waited
    // for.
    const isEarly = !hasStoodStill && aheadMs > 0 && aheadMs < 1
    const nowMs = isEarly ? clockMs : Math.max(firesAtMs, this.now())
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
