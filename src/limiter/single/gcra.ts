import { type RateAndCapacity, ruleOfRate } from "./rate.js"
import { SingleLimit, type SingleLimitOptions } from "./single-limit.js"

export interface GcraOptions extends Pick<RateAndCapacity, "rate">, SingleLimitOptions {
  /** Most units at once, 1 … 2^31; default the units of one period of the rate. */
  readonly burst?: number | undefined
}

/**
 * The generic cell rate algorithm: units are spaced by the emission interval, `burst` of them may come early.
 *
 * @example
 * ```ts
 * import { ManualClock } from "sluice"
 * import { Gcra } from "sluice/algorithms"
 *
 * const clock = new ManualClock(0)
 * const gcra = new Gcra({ rate: "60/minute", burst: 2, clock })
 * gcra.emissionIntervalMs // 1_000
 * gcra.allow(2) // true
 * gcra.retryAfterMs() // 1_000
 * ```
 */
export class Gcra extends SingleLimit<GcraOptions> {
  /** @throws {PolicyError} where rate or burst cannot be */
  constructor(options: GcraOptions) {
    super(options, ["rate", "burst"], ({ rate, burst }) => {
      return { ...ruleOfRate(burst === undefined ? { rate } : { rate, capacity: burst }), algorithm: "gcra" }
    })
  }

  get burst(): number {
    return this.rule.capacity
  }

  /** The time between units at the rate, in ms; not rounded, so it may be a fraction. */
  get emissionIntervalMs(): number {
    return this.rule.periodMs / this.rule.limit
  }
}
