/// <reference lib="esnext.disposable" preserve="true" />

import { MAX_UNITS } from "../policy/policy-range.js"
import { requireWhole } from "../policy/require-fields.js"
import type { Decision } from "../types/decision.js"
import type { Awaitable, Checker, CheckOptions } from "../types/limiter.js"
import type { Receipt } from "../types/receipt.js"
import { tellWaits } from "./key-waits.js"
import type { LimitChoice } from "./named-limits.js"
import { receiptsOf } from "./receipts.js"

/** A limiter whose checks can be settled for more than they were charged, as every one of sluice can. */
export interface SettlingChecker extends Checker {
  /** What `check` would say: whoever would be held for too long is not charged. */
  peek?(key: string, options?: CheckOptions & LimitChoice): Awaitable<Decision>
  /** Both at once: as `check`, but charges nothing where the request would be held for longer than `maxDelayMs`. */
  checkWithin?(key: string, cost: number, maxDelayMs: number): Awaitable<Decision>
  settle?(receipt: Receipt, actualCost: number): Awaitable<void>
  /** Takes units whatever is left: what was used of an admission that was asked for at cost 0. */
  charge?(key: string, units: number, choice?: LimitChoice): Awaitable<void>
}

/**
 * An admission that was waited for. It is a charge and no lock: nobody waits for its end, and ending it gives nothing
 * back, unless it was told what was used.
 *
 * - `use(units)` notes units as they are used; when the permit ends, by `using`, `await using` or `settle()`, what was
 *   used in all is settled: less than was charged is refunded, more is charged as debt.
 * - A permit that was never told anything keeps its whole charge.
 *
 * @example
 * ```ts
 * import { RateLimiter } from "sluice"
 *
 * const limiter = new RateLimiter("10000/minute")
 * {
 *   using permit = await limiter.acquire("user:42", { cost: 4_000 })
 *   permit.use(250)
 *   permit.use(120)
 * }
 * limiter.peek("user:42").remaining // 9_630
 * ```
 */
export class Permit implements Disposable, AsyncDisposable {
  declare readonly decision: Decision
  readonly #limiter: SettlingChecker
  readonly #receipts: readonly Receipt[]
  readonly #charge: (units: number) => Awaitable<void> | undefined
  #used: number | null = null
  #isOpen = true
  /** How it ends, for whoever ends it again. */
  #ending: Awaitable<void> | undefined

  /** @param charge takes units of what was admitted, which is free so far; default the limiter's `charge` of its key */
  constructor(
    limiter: SettlingChecker,
    decision: Decision,
    charge = (units: number) => limiter.charge?.(decision.key, units),
  ) {
    this.#limiter = limiter
    this.#receipts = receiptsOf(decision)
    this.#charge = charge
    this.decision = decision
  }

  get key(): string {
    return this.decision.key
  }

  /** Units charged. */
  get cost(): number {
    return this.decision.cost
  }

  /** Units noted as used so far; `null` where none were. */
  get used(): number | null {
    return this.#used
  }

  /**
   * Notes units as used, to be settled when the permit ends. `use(0)` says that so far nothing was.
   *
   * @param units whole, 0 … 2^31; the sum too
   */
  use(units: number): void {
    const used = this.#used ?? 0
    requireWhole("use", "units", units, 0, MAX_UNITS - used)
    this.#used = used + units
  }

  /**
   * Ends the permit: tells what it cost in the end, each limit of a group. Afterwards nothing more is settled. One of
   * cost 0 is charged now; one that cost something and of which nothing was counted, as that of a key on a list, stays
   * so.
   *
   * @param actualCost whole units, 0 … 2^31; default what was noted by `use`, or the charge where nothing was
   * @throws {TypeError} where it cost more than was charged and the limiter cannot settle that; then, and where the
   * limiter fails, the permit stays open, but one of cost 0, which may have been charged
   */
  settle(actualCost: number | undefined = this.#used ?? undefined): Awaitable<void> {
    if (!this.#isOpen) return this.#ending
    if (actualCost !== undefined) requireWhole("settle", "cost", actualCost, 0, MAX_UNITS)
    const limiter = this.#limiter
    if (this.#receipts.length === 0) return this.#chargeFree(actualCost ?? 0)
    const least = Math.min(...this.#receipts.map(({ cost }) => cost))
    if (!limiter.settle && actualCost !== undefined && actualCost > least) throw refundsOnly(actualCost, least)
    return this.#end((receipt) => {
      const actual = actualCost ?? receipt.cost
      return limiter.settle ? limiter.settle(receipt, actual) : limiter.refund(receipt, receipt.cost - actual)
    })
  }

  /** Charges what was admitted at cost 0 and used all the same. */
  #chargeFree(units: number): Awaitable<void> {
    const isFree = this.cost === 0 && units > 0
    if (isFree && !this.#limiter.charge) throw refundsOnly(units, 0)
    this.#isOpen = false
    // No receipt makes it harmless to do this again: where it fails, it may have charged.
    this.#ending = isFree ? this.#charge(units) : undefined
    return this.#ending
  }

  /**
   * Ends the permit and gives units of the charge back, of each limit of a group; all of them if not told otherwise.
   */
  refund(units?: number): Awaitable<void> {
    if (!this.#isOpen) return this.#ending
    const most = Math.min(this.cost, ...this.#receipts.map(({ cost }) => cost))
    if (units !== undefined) requireWhole("refund", "units", units, 0, most)
    return this.#end((receipt) => this.#limiter.refund(receipt, units))
  }

  /** Settles all receipts, and tells who waits for their keys. */
  #end(settle: (receipt: Receipt) => Awaitable<void>): Awaitable<void> {
    const settled = this.#receipts.map((receipt) => {
      const done = settle(receipt)
      const tell = () => tellWaits(this.#limiter, receipt.key)
      return done === undefined ? tell() : done.then(tell)
    })
    return this.#closeBy(settled.some((each) => each !== undefined) ? Promise.all(settled).then(() => {}) : undefined)
  }

  /**
   * Closes the permit; anew open where that fails later, so that it can be tried again: a receipt settles once anyway.
   */
  #closeBy(done: Awaitable<void> | undefined): Awaitable<void> {
    this.#isOpen = false
    this.#ending = done?.then(undefined, (error: unknown) => {
      this.#isOpen = true
      throw error
    })
    return this.#ending
  }

  /**
   * Settles what was noted by `use`, if anything was. A limiter that answers by promise does so in the background, and
   * where it fails the charge stands: say `await using` to hear of it.
   */
  [Symbol.dispose](): void {
    if (this.#used === null) return
    const settled = this.settle()
    if (settled !== undefined) settled.catch(() => {})
  }

  /** Settles what was noted by `use`, if anything was, and waits for it. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#used !== null) await this.settle()
  }
}

function refundsOnly(actualCost: number, most: number): TypeError {
  return new TypeError(`Cannot settle at cost ${actualCost}: this limiter refunds only, allowed is up to ${most}.`)
}
