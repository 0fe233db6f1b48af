import { show } from "./errors.js"

function requireMs(field: string, ms: unknown): void {
  if (!Number.isSafeInteger(ms)) {
    throw new RangeError(`Cannot set: ${field} is ${show(ms)}, allowed is a whole number of ms.`)
  }
}

/** A source of time. Only the outermost layer reads one; everything below takes `nowMs` as a parameter. */
export interface Clock {
  /** Whole milliseconds since the Unix epoch. */
  now(): number
}

/** The machine's wall clock. */
export const systemClock: Clock = { now: () => Date.now() }

/** So many times a reading is given out at most. */
const TURN_USES = 64
let turnMs = 0
let usesLeft = 0
let isEnding = false

function endTurn(): void {
  usesLeft = 0
  isEnding = false
}

function readTurn(): void {
  turnMs = Date.now()
  usesLeft = TURN_USES
  if (isEnding) return
  isEnding = true
  queueMicrotask(endTurn)
}

/**
 * The machine's wall clock, read once per turn: for callers that check many keys one after the other, since reading the
 * clock takes about as long as a check.
 *
 * A reading serves up to 64 calls: those of the synchronous run in which it was made, and those of what waited for a
 * promise and was about to go on already when it was made. What begins to wait afterwards gets a new one. So it is late
 * by at most what those 64 checks and the work between them take, and never early: a key may be found a little less
 * full than it is. Where each turn has one check, `systemClock` costs less.
 *
 * @example
 * ```ts
 * import { RateLimiter, turnClock } from "sluice"
 *
 * const limiter = new RateLimiter("100/minute", { clock: turnClock })
 * const lines = ["a", "b", "a"].filter((key) => limiter.allow(key))
 * lines.length // 3
 * ```
 */
export const turnClock: Clock = {
  now: () => {
    if (usesLeft === 0) readTurn()
    usesLeft--
    return turnMs
  },
}

/**
 * A clock that moves only when told to, for tests and simulations.
 *
 * @example
 * ```ts
 * import { ManualClock, RateLimiter } from "sluice"
 *
 * const clock = new ManualClock(0)
 * const limiter = new RateLimiter("1/second", { clock })
 * limiter.allow("a") // true
 * limiter.allow("a") // false
 * clock.advance(1_000)
 * limiter.allow("a") // true
 * ```
 */
export class ManualClock implements Clock {
  #nowMs = 0

  /** @param startMs whole milliseconds since the Unix epoch. @throws {RangeError} where it is none */
  constructor(startMs = 0) {
    this.set(startMs)
  }

  now(): number {
    return this.#nowMs
  }

  /** Moves to `nowMs`, backwards too. @throws {RangeError} where it is no whole number of ms; then it stays */
  set(nowMs: number): void {
    requireMs("nowMs", nowMs)
    this.#nowMs = nowMs
  }

  /** Moves by `ms`. @throws {RangeError} where it is no whole number of ms; then it stays */
  advance(ms: number): void {
    requireMs("ms", ms)
    this.set(this.#nowMs + ms)
  }
}
