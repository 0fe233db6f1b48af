/// <reference lib="esnext.disposable" preserve="true" />
import { checkWhole } from "../policy/check-fields.js"
import type { Decision } from "../types/decision.js"
import type { Awaitable, Checker } from "../types/limiter.js"
import type { Receipt } from "../types/receipt.js"

/** A limiter whose checks can be settled for more than they were charged, as every one of sluice can. */
export interface SettlingChecker extends Checker {
  settle?(receipt: Receipt, actualCost: number): Awaitable<void>
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
  #used: number | null = null
  #isOpen: boolean

  constructor(limiter: SettlingChecker, decision: Decision) {
    this.#limiter = limiter
    this.decision = decision
    this.#isOpen = decision.receipt !== undefined
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
    checkWhole("use", "units", units, 0, 2 ** 31 - used)
    this.#used = used + units
  }

  /**
   * Ends the permit: tells what it cost in the end. Afterwards nothing more is settled.
   *
   * @param actualCost whole units; default what was noted by `use`, or the charge where nothing was
   * @throws {TypeError} where it cost more than was charged and the limiter cannot settle that
   */
  settle(actualCost: number = this.#used ?? this.cost): Awaitable<void> {
    if (!this.#isOpen) return
    const receipt = this.decision.receipt!
    const limiter = this.#limiter
    const unused = receipt.cost - actualCost
    if (!limiter.settle && unused < 0) {
      throw new TypeError(
        `Cannot settle at cost ${actualCost}: this limiter refunds only, allowed is up to ${receipt.cost}.`,
      )
    }
    const settled = limiter.settle ? limiter.settle(receipt, actualCost) : limiter.refund(receipt, unused)
    this.#isOpen = false
    return settled
  }

  /** Ends the permit and gives units of the charge back, all of them if not told otherwise. */
  refund(units: number = this.cost): Awaitable<void> {
    if (!this.#isOpen) return
    const refunded = this.#limiter.refund(this.decision.receipt!, units)
    this.#isOpen = false
    return refunded
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
