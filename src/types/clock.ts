/** A source of time. Only the outermost layer reads one; everything below takes `nowMs` as a parameter. */
export interface Clock {
  /** Whole milliseconds since the Unix epoch. */
  now(): number
}

/** The machine's wall clock. */
export const systemClock: Clock = { now: () => Date.now() }

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
  #nowMs: number

  /** @param startMs whole milliseconds since the Unix epoch */
  constructor(startMs = 0) {
    this.#nowMs = startMs
  }

  now(): number {
    return this.#nowMs
  }

  /** Moves to `nowMs`, backwards too. */
  set(nowMs: number): void {
    this.#nowMs = nowMs
  }

  /** Moves by `ms`. */
  advance(ms: number): void {
    this.#nowMs += ms
  }
}
