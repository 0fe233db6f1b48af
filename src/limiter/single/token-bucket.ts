import type { RuleInput } from "../../policy/policy.js"
import { type RateAndCapacity, ruleOfRate } from "./rate.js"
import { SingleLimit, type SingleLimitOptions } from "./single-limit.js"

export interface TokenBucketOptions extends RateAndCapacity, SingleLimitOptions {
  /** `"continuous"` (default), or steps at the same rate: `{ amount: 10, every: "1s" }`. */
  readonly refill?: RuleInput["refill"] | undefined
}

/**
 * A token bucket: full at first, refilled at a rate up to its capacity; each unit takes a token.
 *
 * @example
 * ```ts
 * import { ManualClock } from "sluice"
 * import { TokenBucket } from "sluice/algorithms"
 *
 * const clock = new ManualClock(0)
 * const bucket = new TokenBucket({ rate: 10, capacity: 20, clock })
 * bucket.allow(15) // true
 * bucket.available // 5
 * bucket.retryAfterMs(10) // 500
 * clock.advance(500)
 * bucket.available // 10
 * ```
 */
export class TokenBucket extends SingleLimit<TokenBucketOptions> {
  /** @throws {PolicyError} where rate, capacity or refill cannot be */
  constructor(options: TokenBucketOptions) {
    super(options, ["rate", "capacity", "refill"], ({ refill = "continuous", ...rate }) => {
      return { ...ruleOfRate(rate), algorithm: "token_bucket", refill }
    })
  }

  /** The most tokens that it holds. */
  get capacity(): number {
    return this.rule.capacity
  }
}
