import { limiterKey } from "../http/keys/limiter-key.js"
import { RateLimiter } from "../limiter/rate-limiter.js"
import { parseAlgorithmName } from "../policy/algorithm-name.js"
import { parsePolicy } from "../policy/parse-policy.js"
import type { Policy } from "../policy/policy.js"
import { MAX_KEYS } from "../policy/policy-range.js"
import {
  CLOCK,
  either,
  FUNCTION,
  having,
  type Kinds,
  READ_ELSEWHERE,
  requireFields,
  TEXT,
  whole,
} from "../policy/require-fields.js"
import type { Algorithm } from "../types/algorithm.js"
import { type Clock, systemClock } from "../types/clock.js"
import type { Decision } from "../types/decision.js"
import { show } from "../types/errors.js"
import type { Awaitable, Checker, CheckOptions } from "../types/limiter.js"
import { ReceiptStash } from "./receipt-stash.js"

/** What a store needs of a limiter; every limiter of sluice has it. */
export interface StoreLimiter extends Checker {
  peek(key: string, options?: CheckOptions): Awaitable<Decision>
  reset(key: string): Awaitable<boolean>
}

/** What a store can be told. Nothing is required. */
export interface HitStoreOptions {
  /**
   * Who counts: a limiter of your own, whose policy then decides, or a function that makes one for the policy that
   * follows from the middleware's options. Default: this process's memory.
   */
  readonly limiter?: StoreLimiter | ((policy: Policy) => StoreLimiter) | undefined
  /**
   * The algorithm that decides, with the middleware's `limit` per `windowMs`. Without it hits are counted in a window
   * that starts with a key's first hit, as the middleware's own store does.
   */
  readonly algorithm?: Algorithm | undefined
  /** Stands before every key, to set stores over one limiter apart. */
  readonly prefix?: string | undefined
  /** The most keys held at once in memory, 1 … 2^32 − 1. */
  readonly maxKeys?: number | undefined
  /** Tells the time; default the machine's clock, to which the middleware compares. */
  readonly clock?: Clock | undefined
}

/** What the middleware says of itself when it takes the store. */
export interface MiddlewareOptions {
  readonly windowMs: number
  /** A function gives each request its own. */
  readonly limit: unknown
  readonly skipFailedRequests?: boolean
  readonly skipSuccessfulRequests?: boolean
}

/** What the middleware hears of a key: it denies where there are more hits than its limit. */
export interface Hits {
  totalHits: number
  resetTime: Date
}

const OPTION_KINDS: Kinds<HitStoreOptions> = {
  limiter: either(FUNCTION, having("check", "refund", "peek", "reset")),
  algorithm: READ_ELSEWHERE,
  prefix: TEXT,
  maxKeys: whole(1, MAX_KEYS),
  clock: CLOCK,
}

/** More than any limit: who counts up to this only counts. */
const COUNT_ONLY = 2 ** 31

/** Of how many hits the receipts are held at most: where the middleware takes hits back, and where only others may. */
const MAX_TAKEN_BACK = 65_536
const MAX_ELSE = 4_096

/**
 * The store of a middleware that counts hits, over any limiter of sluice.
 *
 * Alone it counts, and the middleware compares. With an `algorithm`, or a limiter of your own, the limiter decides: a
 * hit that it denies is told as one more than the middleware's limit, and takes nothing from the quota.
 */
export class HitStore {
  /** Whether keys of this instance are its own. */
  readonly localKeys: boolean
  readonly prefix: string
  /** Forgets all keys; in memory only. */
  readonly resetAll?: () => void
  readonly #options: HitStoreOptions
  readonly #clock: Clock
  #stash = new ReceiptStash(0)
  #limiter: StoreLimiter | undefined
  /** The middleware's limit where the limiter decides; `undefined` where hits are counted. */
  #decidesUpTo: number | undefined
  /** Why there is none: middlewares only log what `init` throws, and go on. */
  #failure: unknown = new TypeError("Cannot count hits: the store has no policy, since init() was not called.")
  #windowMs = 0
  /** Whether the middleware takes hits back. */
  #takesBack = false

  /** @throws {RangeError} naming the option that cannot be; {PolicyError} where the algorithm is none */
  constructor(options: HitStoreOptions = {}) {
    requireFields("make a store", options, OPTION_KINDS)
    const { limiter, prefix = "", clock = systemClock, algorithm } = options
    if (algorithm !== undefined) parseAlgorithmName("algorithm", algorithm)
    if (typeof limiter === "object" && algorithm !== undefined) {
      throw new RangeError(`Cannot make a store: algorithm is ${show(algorithm)}, but the limiter has its own.`)
    }
    this.#options = options
    this.#clock = clock
    this.prefix = prefix
    this.localKeys = limiter === undefined
    if (limiter === undefined) {
      this.resetAll = () => {
        // Before `init` there is nothing to forget, and no policy yet.
        if (this.#limiter !== undefined) this.#start()
      }
    }
  }

  /** @throws {PolicyError} where no policy follows from the options; {RangeError} where `limit` must be a number */
  init(options: MiddlewareOptions): void {
    this.#limiter = undefined
    try {
      this.#take(options)
    } catch (error) {
      this.#failure = error
      throw error
    }
  }

  #take(options: MiddlewareOptions): void {
    const { limiter, algorithm } = this.#options
    this.#windowMs = options.windowMs
    this.#takesBack = (options.skipFailedRequests || options.skipSuccessfulRequests) ?? false
    this.#decidesUpTo = undefined
    if (typeof limiter === "object" || algorithm !== undefined) {
      if (typeof options.limit !== "number") {
        throw new RangeError(
          `Cannot use the store: limit is ${show(options.limit)}, allowed is a number where a limiter decides.`,
        )
      }
      // With 0 the middleware denies whatever is counted, and there is nothing to decide.
      if (options.limit !== 0) this.#decidesUpTo = options.limit
    }
    this.#start()
  }

  #start(): void {
    const { limiter, algorithm, maxKeys } = this.#options
    this.#stash = new ReceiptStash(this.#takesBack ? MAX_TAKEN_BACK : MAX_ELSE)
    if (typeof limiter === "object") {
      this.#limiter = limiter
      return
    }
    const period = this.#windowMs
    const policy = parsePolicy(
      algorithm === undefined || this.#decidesUpTo === undefined
        ? { limit: COUNT_ONLY, period, algorithm: "fixed_window", anchor: "first" }
        : { limit: this.#decidesUpTo, period, algorithm },
    )
    this.#limiter = limiter?.(policy) ?? new RateLimiter(policy, { clock: this.#clock, ...(maxKeys && { maxKeys }) })
  }

  #ready(): StoreLimiter {
    if (this.#limiter !== undefined) return this.#limiter
    throw this.#failure
  }

  async #keyOf(key: string): Promise<string> {
    return limiterKey(`${this.prefix}${key}`)
  }

  /** Counts a hit. */
  async increment(key: string): Promise<Hits> {
    const limiter = this.#ready()
    // Of the same start as the limiter: what resetAll() forgets meanwhile is nobody's to take back.
    const stash = this.#stash
    const own = await this.#keyOf(key)
    const decision = await limiter.check(own)
    const receipt = decision.receipt ?? null
    // Which denials the middleware takes back is for its requestWasSuccessful to say. There is nothing to take of one,
    // and it must not take what another hit charged.
    if (receipt !== null || this.#takesBack) {
      const nowMs = this.#clock.now()
      stash.push(own, receipt, nowMs, nowMs + fullAfterMs(decision))
    }
    return this.#hitsOf(decision)
  }

  /** Takes the last hit back, as far as it still counts and its receipt is held. */
  async decrement(key: string): Promise<void> {
    const limiter = this.#ready()
    const stash = this.#stash
    const receipt = stash.pop(await this.#keyOf(key))
    if (receipt) await limiter.refund(receipt)
  }

  /** Forgets a key's hits. */
  async resetKey(key: string): Promise<void> {
    const own = await this.#keyOf(key)
    this.#stash.delete(own)
    await this.#ready().reset(own)
  }

  /** A key's hits, counting none; `undefined` where there are none. */
  async get(key: string): Promise<Hits | undefined> {
    const decision = await this.#ready().peek(await this.#keyOf(key), { cost: 0 })
    const hits = this.#hitsOf(decision)
    return hits.totalHits === 0 ? undefined : hits
  }

  #hitsOf({ allowed, limit, remaining, cost, retryAfterMs, resetAfterMs }: Decision): Hits {
    const resetTime = new Date(this.#clock.now() + (allowed ? resetAfterMs : retryAfterMs))
    const most = this.#decidesUpTo
    // The burst of a limiter of one's own may be above its limit.
    if (most === undefined) return { totalHits: Math.max(limit - remaining, cost), resetTime }
    if (!allowed) return { totalHits: most + 1, resetTime }
    // A burst or a limit of the limiter's own that differs must not make the middleware deny what was admitted.
    return { totalHits: Math.min(Math.max(most - remaining, cost), most), resetTime }
  }
}

/**
 * When every quota that a decision is about is full again: of what was charged until now less than a unit can come back
 * then.
 */
function fullAfterMs({ resetAfterMs, rules = [] }: Decision): number {
  return Math.max(resetAfterMs, ...rules.map((rule) => rule.resetAfterMs))
}
