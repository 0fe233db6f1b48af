import { Core } from "../engine/core.js"
import type { Decisions } from "../engine/decisions.js"
import { readDumpHead } from "../engine/dump.js"
import { randomId, randomSeed, type Seed } from "../engine/seed.js"
import { tooOldBeforeMs } from "../engine/settlement.js"
import { StandaloneLimit } from "../engine/standalone-limit.js"
import type { TableChoice } from "../engine/table-options.js"
import { parsePolicy } from "../policy/parse-policy.js"
import type { Duration, Policy, PolicyInput } from "../policy/policy.js"
import { BYTES, type Kind, LIST, requireFields, requireKind, requireWhole } from "../policy/require-fields.js"
import { type Clock, systemClock } from "../types/clock.js"
import type { Decision } from "../types/decision.js"
import { DumpError, show } from "../types/errors.js"
import type { AllDecision, AllOptions, CheckItem, CheckOptions, KeyStats, KeyStatus } from "../types/limiter.js"
import type { Receipt } from "../types/receipt.js"
import { acquire, lines } from "./acquire.js"
import type { AcquireOptions } from "./acquire-options.js"
import { blockEndMs } from "./block-end.js"
import { checkedClock } from "./checked-clock.js"
import { decideAll } from "./decide-all.js"
import { tellWaits } from "./key-waits.js"
import type { Limiter } from "./limiter.js"
import type { Permit } from "./permit.js"
import { RATE_LIMITER_KINDS, type RateLimiterOptions } from "./rate-limiter-options.js"
import {
  costOf,
  itemsOf,
  refuseOptions,
  requireOwnItems,
  requireRefund,
  requireSettlement,
  requireUnits,
} from "./require-check-options.js"
import { WaitingLine } from "./waiting-line.js"
import { type WrapOptions, wrap } from "./wrap.js"

const ENDS: Kind = { allowed: "a Uint32Array", fits: (value) => value instanceof Uint32Array }
const DEFAULT_KEY_BYTES = 24 * 2 ** 20

/**
 * A rate limiter in memory: exact, synchronous, a few dozen bytes per key, nothing to close.
 *
 * Times are taken from the clock once per call. Every verb about a key costs O(1), beside `sliding_window_log`, whose
 * checks cost the logarithm of the charges in the window, and whose refunds the number of those that came later. What
 * is about many keys, from `checkMany` to `sweep`, costs their number.
 *
 * @example
 * ```ts
 * import { RateLimiter } from "sluice"
 *
 * const limiter = new RateLimiter("100/minute burst 20")
 * const decision = limiter.check("user:42")
 * if (!decision.allowed) console.log(`try again in ${decision.retryAfterMs} ms`)
 * ```
 */
export class RateLimiter implements Limiter {
  /** Tells `checkAll` that every verb answers at once. */
  readonly isSynchronous = true
  #policy: Policy
  readonly #clock: Clock
  readonly #table: TableChoice
  #limit: StandaloneLimit | null = null
  /** Receipts of before are closed from the start: a longer policy was put in place before the first question. */
  #closedBeforeMs = 0

  /** @throws {PolicyError} where the policy is not valid; {RangeError} where an option is not */
  constructor(policy: PolicyInput, options: RateLimiterOptions = {}) {
    requireFields("make a limiter", options, RATE_LIMITER_KINDS)
    const { clock = systemClock, onFull = "evict-nearest-full", stats = false, maxWaiting } = options
    this.#policy = parsePolicy(policy)
    const cellBytes = 8 + 16 * this.#policy.rules.length + (stats ? 72 : 0)
    const { maxKeys = Math.floor(DEFAULT_KEY_BYTES / cellBytes) } = options
    this.#clock = checkedClock(clock)
    this.#table = { maxKeys, onFull, stats }
    const line = new WaitingLine(this, { maxWaiting }, (...asked) => this.#askWaiting(...asked))
    lines.set(this, line)
  }

  /**
   * Asks for a caller that waits: a refusal counts as no denial and starts no block. Nothing is charged where the
   * request would be held longer than `maxDelayMs`.
   */
  #askWaiting(key: string, options: CheckOptions, maxDelayMs: number): Decision {
    const seen = this.peek(key, options)
    if (seen.allowed && seen.delayMs <= maxDelayMs) return this.check(key, options)
    // Where a clock was set back, the wait that a peek tells begins once the key is healed, as a charge of 0 units
    // does.
    this.charge(key, 0)
    return seen
  }

  /** Made at the first question: a Worker has no randomness while its modules load. */
  #start(): StandaloneLimit {
    const limit = this.#makeLimit(new Core(), randomSeed(), randomId())
    limit.settled.closeBefore(this.#closedBeforeMs)
    this.#limit = limit
    return limit
  }

  #makeLimit(core: Core, seed: Seed, issuerId: string): StandaloneLimit {
    return new StandaloneLimit(core, this.#policy, { ...this.#table, seed, issuerId, sharesCore: false })
  }

  get policy(): Policy {
    return this.#policy
  }

  /** How many keys are held, idle ones that were not swept yet included. */
  get size(): number {
    return this.#limit?.size ?? 0
  }

  /**
   * Asks and charges. A denial consumes nothing; cost 0 asks only.
   *
   * @throws {CostError} where the cost exceeds the capacity, {KeyError}, {RangeError}; then nothing has changed
   */
  check(key: string, options?: CheckOptions): Decision {
    const limit = this.#limit ?? this.#start()
    return options === undefined ? limit.check(key, 1, this.#clock.now()) : this.#checkAsAsked(limit, key, options)
  }

  /** Under an id, an admission of the last 5 minutes is told again: charged then, the rest as it is now. */
  #checkAsAsked(limit: StandaloneLimit, key: string, options: CheckOptions): Decision {
    const cost = costOf(key, options)
    const { id } = options
    const nowMs = this.#clock.now()
    return limit.toldAgain(key, cost, nowMs, id) ?? limit.checkAnew(key, cost, nowMs, id)
  }

  /** As `check`, but only whether. Without an `id` nothing is allocated. */
  allow(key: string, options?: CheckOptions): boolean {
    if (options?.id !== undefined) return this.check(key, options).allowed
    const limit = this.#limit ?? this.#start()
    return limit.allow(key, costOf(key, options), this.#clock.now())
  }

  /**
   * `check` for many keys at one time, in their order: one call, at a fraction of the cost per key.
   *
   * @param costs one for each key; 1 where not given
   * @param into the decisions of an earlier call, to be written over and returned, so that nothing is allocated for
   *   them. They have room for as many keys, or more; what is behind the last of `keys` stays as it is
   * @throws {CostError} {KeyError} {RangeError} where any of them cannot be; then nothing has changed
   * @example
   * ```ts
   * import { RateLimiter } from "sluice"
   *
   * const { allowed } = new RateLimiter("1/minute").checkMany(["a", "b", "a"])
   * allowed // Uint8Array [1, 1, 0]
   * ```
   */
  checkMany(keys: readonly string[], costs?: ArrayLike<number>, into?: Decisions): Decisions {
    requireKind("check keys", "keys", keys, LIST)
    return (this.#limit ?? this.#start()).checkMany(keys, costs, this.#clock.now(), into)
  }

  /**
   * `checkMany` for keys that are UTF-8 already: key i is `bytes` from the end of the one before (0 for the first) to
   * `ends[i]`.
   *
   * @throws {CostError} {RangeError} where a key is empty or longer than 512 bytes, or a cost cannot be; then nothing
   * has changed
   */
  checkPacked(bytes: Uint8Array, ends: Uint32Array, costs?: ArrayLike<number>, into?: Decisions): Decisions {
    requireKind("check keys", "bytes", bytes, BYTES)
    requireKind("check keys", "ends", ends, ENDS)
    return (this.#limit ?? this.#start()).checkPacked(bytes, ends, costs, this.#clock.now(), into)
  }

  /**
   * What `check` would say, charging nothing. Where the clock was set back further than the key's state can lie ahead,
   * the wait that it tells begins with the next check, which is what sets the key's time back; a peek changes nothing.
   */
  peek(key: string, options?: CheckOptions): Decision {
    const limit = this.#limit ?? this.#start()
    const nowMs = this.#clock.now()
    const cost = costOf(key, options)
    return limit.toldAgain(key, cost, nowMs, options?.id) ?? limit.peek(key, cost, nowMs)
  }

  /**
   * Decides checks of several keys together: all are charged, or none is. For keys of several limiters there is the
   * function `checkAll`.
   *
   * @throws {RangeError} where the items are none or more than 1,000, or one key comes twice; {LimitNotFound} where an
   * item names another limit; else as `check`; then nothing has changed
   */
  checkAll(items: readonly CheckItem[], options?: AllOptions): AllDecision {
    requireOwnItems(items, this.#policy.name)
    return decideAll(
      itemsOf(items, options).map(({ key, cost, id }) => {
        return { limiter: this, key, options: { cost, id }, subject: key }
      }),
    )
  }

  /** `checkAll`, but only whether. */
  allowAll(items: readonly CheckItem[], options?: AllOptions): boolean {
    return this.checkAll(items, options).allowed
  }

  /**
   * Waits until a key is admitted: first come, first served for each key, in one line with the calls of the function
   * `acquire` for this limiter. Waiting counts as no denial. Calls of `check` do not stand in the line.
   *
   * @throws {TimeoutExceeded} at once where the wait is known to exceed the timeout; {QueueFull}; the signal's reason;
   * else as `check`
   * @example
   * ```ts
   * import { RateLimiter } from "sluice"
   *
   * const limiter = new RateLimiter("100/second")
   * using permit = await limiter.acquire("user:42", { timeout: "2s" })
   * permit.decision.remaining // 99
   * ```
   */
  async acquire(key: string, options?: AcquireOptions): Promise<Permit> {
    // What cannot be asked is refused at once, not when its turn has come.
    if (options?.cost !== undefined) this.peek(key, { cost: options.cost })
    return acquire(this, key, options)
  }

  /** A function that asks this limiter before each call: see the function `wrap`. */
  wrap<Fn extends (...args: never[]) => unknown>(
    fn: Fn,
    options?: NoInfer<WrapOptions<ThisParameterType<Fn>, Parameters<Fn>>>,
  ): Fn {
    return wrap(this, fn, options)
  }

  /**
   * Gives back units that a check charged, all of them if not told otherwise, at most what cannot have leaked away
   * since. A receipt settles once, and within twice the time that an empty quota takes to fill, or two periods of a
   * window, and an hour. Refunding it again or later does nothing, as does refunding it while nothing can come back
   * because the clock was set back to before its charge, and the key with it: then it stays open.
   *
   * @param units whole, 0 … the receipt's cost
   * @throws {RangeError} where the receipt is another limiter's or the units are out of range
   */
  refund(receipt: Receipt, units?: number): void {
    this.#settle(receipt, requireRefund(receipt, units))
  }

  /**
   * Tells what a check cost in the end: less is refunded, more is charged as debt. A receipt settles once.
   *
   * @param actualCost whole units, 0 … 2^31
   * @throws {RangeError} where the receipt is another limiter's or the cost is out of range
   */
  settle(receipt: Receipt, actualCost: number): void {
    this.#settle(receipt, requireSettlement(receipt, actualCost))
  }

  #settle(receipt: Receipt, units: number): void {
    const limit = this.#limit ?? this.#start()
    if (limit.settle(receipt, units, this.#clock.now()) !== null) tellWaits(this, receipt.key)
  }

  /**
   * Takes units whatever is left: a penalty, which may put the key into debt.
   *
   * @param units whole, 0 … 2^31
   * @throws {KeyError}; {RangeError} where the units are out of range, or there is no room for a new key; then nothing
   * has changed
   */
  charge(key: string, units: number): void
  charge(key: string, units: number, surplus?: unknown): void {
    refuseOptions("charge", surplus)
    const limit = this.#limit ?? this.#start()
    limit.charge(key, requireUnits(units), this.#clock.now())
  }

  /**
   * Denies a key for a time from now, in place of an earlier block; 1 ms … 10 years.
   *
   * @throws {KeyError}; {RangeError} where the duration is out of range, or `maxKeys` keys are blocked; then nothing
   * has changed
   */
  block(key: string, duration: Duration): void
  block(key: string, duration: Duration, surplus?: unknown): void {
    refuseOptions("block", surplus)
    const limit = this.#limit ?? this.#start()
    const nowMs = this.#clock.now()
    limit.block(key, blockEndMs(duration, nowMs), nowMs)
    // An earlier block may have lasted longer.
    tellWaits(this, key)
  }

  /** Ends a block. Whether there was one that still lasted. @throws {KeyError} */
  unblock(key: string): boolean
  unblock(key: string, surplus?: unknown): boolean {
    refuseOptions("unblock", surplus)
    const wasBlocked = (this.#limit ?? this.#start()).unblock(key, this.#clock.now())
    tellWaits(this, key)
    return wasBlocked
  }

  /**
   * Makes a key's quota full and ends its block. What was charged before is full again, so its receipts are closed:
   * `refund` and `settle` of one do nothing.
   *
   * @returns whether there was anything to forget
   * @throws {KeyError}
   */
  reset(key: string): boolean
  reset(key: string, surplus?: unknown): boolean {
    refuseOptions("reset", surplus)
    const hadState = (this.#limit ?? this.#start()).reset(key, this.#clock.now())
    tellWaits(this, key)
    return hadState
  }

  /** A key's state without a check. @throws {KeyError} */
  status(key: string): KeyStatus
  status(key: string, surplus?: unknown): KeyStatus {
    refuseOptions("tell the status", surplus)
    return (this.#limit ?? this.#start()).status(key, this.#clock.now())
  }

  /**
   * A key's statistics.
   *
   * @throws {TypeError} where the limiter was made without `stats: true`; {KeyError}
   */
  stats(key: string): KeyStats
  stats(key: string, surplus?: unknown): KeyStats {
    refuseOptions("tell statistics", surplus)
    if (!this.#table.stats) {
      throw new TypeError("Cannot tell statistics: this limiter keeps none, make it with { stats: true }.")
    }
    return (this.#limit ?? this.#start()).stats(key)
  }

  /** Puts another policy in place. What was used stays used, capped at the new capacity. Costs the number of keys. */
  setPolicy(policy: PolicyInput): void {
    const next = parsePolicy(policy)
    if (next.canonical === this.#policy.canonical) return
    const nowMs = this.#clock.now()
    if (this.#limit !== null) this.#limit.change(next, nowMs)
    else this.#closedBeforeMs = Math.max(this.#closedBeforeMs, tooOldBeforeMs(this.#policy, next, nowMs))
    this.#policy = next
    tellWaits(this)
  }

  /**
   * What this limiter knows as bytes, for a `restore` after a restart: counts, blocks, statistics, and which receipts
   * are open. Costs about as much as copying it; keys under a `sliding_window_log` are gone through one by one.
   *
   * Keys themselves are not in it, and so neither are the ids of calls, which are known by their keys: a call that is
   * repeated after the `restore` is charged again. The secret that keys are hashed with is in it: keep it as you keep
   * the process's memory.
   *
   * @example
   * ```ts
   * import { ManualClock, RateLimiter } from "sluice"
   *
   * const clock = new ManualClock(0)
   * const before = new RateLimiter("1/minute", { clock })
   * before.allow("a") // true
   * const after = new RateLimiter("1/minute", { clock })
   * after.restore(before.dump())
   * after.allow("a") // false
   * ```
   */
  dump(): Uint8Array {
    return (this.#limit ?? this.#start()).dump(this.#clock.now())
  }

  /**
   * Puts what `dump` told in place of all that this limiter knows, the ids of calls included, which are forgotten. Time
   * has gone on since: what leaked away meanwhile is gone, and receipts from before the dump can be settled here. Costs
   * about as much as copying it, in a new core.
   *
   * @throws {DumpError} where the bytes are no dump, of another format, cut or changed, of another policy, made with
   * `stats` and restored without or the other way round, or hold more keys than `maxKeys`; then nothing has changed
   */
  restore(bytes: Uint8Array): void {
    requireKind("restore", "bytes", bytes, BYTES)
    const core = new Core()
    const head = readDumpHead(core, bytes)
    if (head.policy !== this.#policy.canonical) {
      throw new DumpError(`its policy is ${show(head.policy)}, this limiter's ${show(this.#policy.canonical)}`)
    }
    if (head.stats !== this.#table.stats) throw new DumpError(`its stats are ${head.stats}, this limiter's are not`)
    const limit = this.#makeLimit(core, head.seed, head.issuerId)
    limit.restore(bytes, head)
    this.#limit = limit
    tellWaits(this)
  }

  /**
   * Looks for idle keys and ended blocks in up to `budget` places, from where the last sweep stopped; for idle times,
   * since checks clean up as they go. Where the clock was set back, each key that it looks at is moved back as by its
   * next check: one that lies further ahead than a full quota can is full again within one refill from then on.
   *
   * @returns how many were removed
   */
  sweep(budget: number): number {
    requireWhole("sweep", "budget", budget, 0, 2 ** 31)
    return this.#limit?.sweep(this.#clock.now(), budget) ?? 0
  }
}
