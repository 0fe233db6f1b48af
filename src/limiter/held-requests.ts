import type { Alarm, Alarms } from "./alarms.js"

/** One who was admitted and may not leave yet. */
export interface Held<Who> {
  readonly line: HeldLine<Who>
  /** `null` where it has ended before it left. */
  who: Who | null
  /** How long after the turn before it its own begins, which is when it leaves. */
  gapMs: number
  /** How long its turn is, in which nobody else leaves. */
  readonly turnMs: number
}

/** Those of one key, in the order in which they were admitted. */
interface HeldLine<Who> {
  readonly id: string
  /** With those that have ended, until they are first, or are the most. */
  readonly all: Set<Held<Who>>
  /** How many of them are to leave. */
  leaving: number
  /** When the turn of whoever was before the first of all is over. */
  startMs: number
  /** When the turn of the last is over: `startMs`, all gaps, and the turns of those that are to leave. */
  endMs: number
  /** Rings when the first may leave. */
  alarm: Alarm | null
}

/**
 * Requests that a leaky bucket has admitted, each until it may leave. The bucket tells each how long to be held by what
 * is charged then: after quota has come back, that may be less than for those before it. So those of a key leave in
 * turn here: none before the turn of the one before is over, and where one ends without leaving, those behind it move
 * up.
 */
export class HeldRequests<Who> {
  readonly #alarms: Alarms
  readonly #leave: (who: Who) => void
  readonly #lines = new Map<string, HeldLine<Who>>()

  /** @param leave called for each when it may leave */
  constructor(alarms: Alarms, leave: (who: Who) => void) {
    this.#alarms = alarms
    this.#leave = leave
  }

  /** Whether anybody is held, be it one who may leave and whose timer is late. */
  has(id: string): boolean {
    return this.#lines.has(id)
  }

  /** How long it is until all turns of a key are over; 0 where nobody is held. */
  waitMs(id: string, nowMs: number): number {
    const line = this.#lines.get(id)
    return line === undefined ? 0 : Math.max(0, line.endMs - nowMs)
  }

  /** Holds one behind all of its key, and until a time at least. */
  hold(id: string, who: Who, { leavesAtMs, turnMs }: { leavesAtMs: number; turnMs: number }): Held<Who> {
    let line = this.#lines.get(id)
    if (line === undefined) {
      line = { id, all: new Set(), leaving: 0, startMs: leavesAtMs, endMs: leavesAtMs, alarm: null }
      this.#lines.set(id, line)
    }
    const held: Held<Who> = { line, who, gapMs: Math.max(0, leavesAtMs - line.endMs), turnMs }
    line.endMs += held.gapMs + turnMs
    line.all.add(held)
    line.leaving += 1
    if (line.alarm === null) this.#awaitFirst(line)
    return held
  }

  /** Lets those behind one move up, which does not leave. */
  end(held: Held<Who>): void {
    const { line, turnMs } = held
    const [first] = line.all
    held.who = null
    line.leaving -= 1
    line.endMs -= turnMs
    if (first !== held) {
      // The first is to leave.
      if (line.all.size > 2 * line.leaving) forgetEnded(line)
      return
    }
    this.#alarms.cancel(line.alarm!)
    this.#awaitFirst(line)
  }

  #awaitFirst(line: HeldLine<Who>): void {
    for (const first of line.all) {
      const atMs = line.startMs + first.gapMs
      if (first.who !== null) {
        line.alarm = this.#alarms.set(atMs, () => this.#go(first, atMs))
        return
      }
      line.startMs = atMs
      line.all.delete(first)
    }
    this.#lines.delete(line.id)
  }

  #go(first: Held<Who>, atMs: number): void {
    const { line, who, turnMs } = first
    line.leaving -= 1
    line.all.delete(first)
    // By when it was to leave, not by when the timer had its turn: nobody behind it is late for that.
    line.startMs = atMs + turnMs
    this.#awaitFirst(line)
    this.#leave(who!)
  }
}

/** Keeps those that are to leave, each with the gaps of those before it that have ended. */
function forgetEnded(line: HeldLine<unknown>): void {
  let gapMs = 0
  for (const held of line.all) {
    if (held.who === null) {
      gapMs += held.gapMs
      line.all.delete(held)
    } else {
      held.gapMs += gapMs
      gapMs = 0
    }
  }
  // Of those behind the last.
  line.endMs -= gapMs
}
