import type { Policy } from "../policy/policy.js"

const FIRST_PRUNE = 1_024
const HOUR_MS = 3_600_000

/**
 * How long a receipt of a policy can be settled: as long as any of its rules could still hold the charge, and one hour
 * more for costs that are known late. In ms.
 */
export function settleWithinMs(policy: Policy): number {
  // Twice the time to fill covers a sliding window's two windows; rounding in f64 is far below the hour.
  return 2 * Math.max(...policy.rules.map((rule) => (rule.capacity / rule.limit) * rule.periodMs)) + HOUR_MS
}

/** The receipts that were settled, so that none settles twice. Held for as long as they could be settled. */
export class SettledReceipts {
  readonly #chargedAtMs = new Map<string, number>()
  /** Receipts from before were dropped: they stay closed, even where a longer policy would take them. */
  #closedBeforeMs = 0
  #pruneAt = FIRST_PRUNE

  /**
   * Notes a receipt.
   *
   * @param keepMs `settleWithinMs` of the policy
   * @returns false where it was settled before, or is too old
   */
  add(
    { id, chargedAtMs }: { readonly id: string; readonly chargedAtMs: number },
    nowMs: number,
    keepMs: number,
  ): boolean {
    if (chargedAtMs < this.#closedBeforeMs || chargedAtMs + keepMs < nowMs || this.has(id)) return false
    this.restore(id, chargedAtMs)
    if (this.#chargedAtMs.size >= this.#pruneAt) this.#prune(nowMs, keepMs)
    return true
  }

  has(receiptId: string): boolean {
    return this.#chargedAtMs.has(receiptId)
  }

  /** Every receipt that could not be settled again at `nowMs`, with the time of its charge. */
  entries(nowMs: number, keepMs: number): [id: string, chargedAtMs: number][] {
    return [...this.#chargedAtMs].filter(([, chargedAtMs]) => chargedAtMs + keepMs >= nowMs)
  }

  /** Puts a receipt back that `entries` told. */
  restore(id: string, chargedAtMs: number): void {
    this.#chargedAtMs.set(id, chargedAtMs)
  }

  #prune(nowMs: number, keepMs: number): void {
    for (const [id, chargedAtMs] of this.#chargedAtMs) {
      if (chargedAtMs + keepMs >= nowMs) continue
      this.#chargedAtMs.delete(id)
      this.#closedBeforeMs = Math.max(this.#closedBeforeMs, chargedAtMs + 1)
    }
    this.#pruneAt = Math.max(FIRST_PRUNE, this.#chargedAtMs.size * 2)
  }
}
