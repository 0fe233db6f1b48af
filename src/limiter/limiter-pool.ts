import { Core } from "../engine/core.js"
import { PooledLimit } from "../engine/pooled-limit.js"
import { randomId, randomSeed, type Seed } from "../engine/seed.js"
import { SettledReceipts } from "../engine/settled-receipts.js"
import { settle } from "../engine/settlement.js"
import type { Policy } from "../policy/policy.js"
import type { Clock } from "../types/clock.js"
import type { Decision } from "../types/decision.js"
import type { CheckOptions } from "../types/limiter.js"
import type { Receipt } from "../types/receipt.js"
import { checkedClock } from "./checked-clock.js"
import { costOf, requireRefund, requireUnits } from "./require-check-options.js"
import type { SyncLimiter } from "./sync-limiter.js"

/**
 * Limiters in memory that share one core, so that thousands of policies take a few KB each. What a limiter holds is
 * freed when nobody keeps it any more; without a `FinalizationRegistry`, as on Workers with a compatibility date before
 * 2025-05-05, only with the pool and all of its limiters.
 */
export class LimiterPool {
  readonly #clock: Clock
  #core: Core | null = null
  #seed!: Seed
  #id = ""
  #ordinals = 0

  constructor(clock: Clock) {
    this.#clock = checkedClock(clock)
  }

  /** A new limiter. The first is made at the first question: a Worker has no randomness while its modules load. */
  make(policy: Policy, maxKeys: number): PooledLimiter {
    if (this.#core === null) {
      this.#seed = randomSeed()
      this.#id = randomId()
      this.#core = new Core()
    }
    const issuerId = `${this.#id}.${(++this.#ordinals).toString(36)}`
    const options = { maxKeys, onFull: "evict-nearest-full", stats: false, seed: this.#seed, sharesCore: true } as const
    return new PooledLimiter(new PooledLimit(this.#core, policy, { ...options, issuerId }), this.#clock)
  }
}

/** One limiter of a pool: the verbs that middleware asks. */
export class PooledLimiter implements SyncLimiter {
  /** Every verb answers at once. */
  readonly isSynchronous = true
  readonly #limit: PooledLimit
  readonly #clock: Clock
  readonly #settled = new SettledReceipts()

  constructor(limit: PooledLimit, clock: Clock) {
    this.#limit = limit
    this.#clock = clock
  }

  /** How many keys and blocks of keys are held, idle ones that were not swept yet included. */
  get size(): number {
    return this.#limit.size + this.#limit.blocks
  }

  /** Whether nothing is used of any key, and none is blocked. Looks at every key. */
  get isIdle(): boolean {
    return this.#limit.isIdle(this.#clock.now())
  }

  check(key: string, options?: Pick<CheckOptions, "cost">): Decision {
    return this.#limit.check(key, costOf(key, options, ["cost"]), this.#clock.now())
  }

  peek(key: string, options?: Pick<CheckOptions, "cost">): Decision {
    return this.#limit.peek(key, costOf(key, options, ["cost"]), this.#clock.now())
  }

  refund(receipt: Receipt, units?: number): void {
    settle(this.#limit, this.#settled, receipt, requireRefund(receipt, units), this.#clock.now())
  }

  charge(key: string, units: number): void {
    this.#limit.charge(key, requireUnits(units), this.#clock.now())
  }
}
