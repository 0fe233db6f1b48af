import type { Receipt } from "../types/receipt.js"
import { ResetKeys } from "./reset-keys.js"

/**
 * The receipts of a limit that cannot be settled any more: those that were, of times that are closed, of before a
 * reset.
 */
export abstract class ClosedReceipts<Noted extends Pick<Receipt, "chargedAtMs">> {
  /** The keys whose receipts were closed by a reset. */
  readonly resets = new ResetKeys()
  #closedBeforeMs = 0

  /** Notes a receipt as settled. Whether it was open. */
  abstract add(receipt: Noted, nowMs: number, keepMs: number): boolean

  /** Whether a receipt was settled, as long as that is remembered. */
  protected abstract isSettled(receipt: Noted): boolean

  /**
   * Receipts that were charged before stay closed, even where a longer policy would take them: those may be forgotten.
   */
  get closedBeforeMs(): number {
    return this.#closedBeforeMs
  }

  /** From now on no receipt of before a time can be settled. */
  closeBefore(timeMs: number): void {
    this.#closedBeforeMs = Math.max(this.#closedBeforeMs, timeMs)
  }

  /**
   * Whether a receipt can be settled: it was not before, and is not too old. Resets are not asked.
   *
   * @param keepMs `settleWithinMs` of the policy
   */
  isOpen(receipt: Noted, nowMs: number, keepMs: number): boolean {
    return receipt.chargedAtMs + keepMs >= nowMs && !this.mayBeSettled(receipt)
  }

  /** Whether a receipt was settled, as far as that is known: one of a time that is closed may have been. */
  mayBeSettled(receipt: Noted): boolean {
    return receipt.chargedAtMs < this.#closedBeforeMs || this.isSettled(receipt)
  }

  /**
   * Forgets resets of before every receipt that can be settled at `nowMs`, but for the last `least`, and the first of
   * too many. What was charged before them stays closed.
   */
  forgetResets(nowMs: number, keepMs: number, least = 0): void {
    this.resets.forgetBefore(nowMs - keepMs, least)
  }
}
