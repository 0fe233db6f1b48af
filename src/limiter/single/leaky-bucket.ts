import { type RateAndCapacity, ruleOfRate } from "./rate.js"
import { SingleLimit, type SingleLimitOptions } from "./single-limit.js"

/**
 * A leaky bucket: each unit is poured in, and drips out at a constant rate; what would overflow is denied. The
 * decision's `delayMs` says how long to hold a request so that they leave at that rate.
 *
 * @example
 * ```ts
 * import { ManualClock } from "sluice"
 * import { LeakyBucket } from "sluice/algorithms"
 *
 * const clock = new ManualClock(0)
 * const bucket = new LeakyBucket({ rate: 2, capacity: 4, clock })
 * bucket.allow(3) // true
 * bucket.level // 3
 * bucket.check().delayMs // 1_500
 * bucket.allow() // false
 * clock.advance(1_000)
 * bucket.level // 2
 * ```
 */
export class LeakyBucket extends SingleLimit<RateAndCapacity & SingleLimitOptions> {
  /** @throws {PolicyError} where rate or capacity cannot be */
  constructor(options: RateAndCapacity & SingleLimitOptions) {
    super(options, ["rate", "capacity"], (rate) => ({ ...ruleOfRate(rate), algorithm: "leaky_bucket" }))
  }

  /** The most units that it holds. */
  get capacity(): number {
    return this.rule.capacity
  }

  /** Units in the bucket, a part of one counted whole; the capacity where it is in debt. */
  get level(): number {
    return this.capacity - this.available
  }
}
