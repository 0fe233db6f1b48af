import { drawOf } from "../src/edge/lease-receipt.js"
import { foreignReceipt } from "../src/engine/receipt-id.js"
import { SettledReceipts } from "../src/engine/settled-receipts.js"
import { settleWithinMs } from "../src/engine/settlement.js"
import type { Ledger } from "../src/ledger/ledger.js"
import type { LedgerLimit } from "../src/ledger/own-limit.js"
import type { Receipt } from "../src/types/receipt.js"

/** Receipts of units that were spent from leases. */
export class SpentUnits {
  /** Those that were charged for. */
  readonly #settled = new SettledReceipts()

  /**
   * Charges for what was spent beyond a receipt. Gives nothing back, for the draw's own receipt does.
   *
   * @returns whether it was charged
   * @throws {RangeError} where the draw is not of this ledger
   */
  settle(ledger: Ledger, limit: LedgerLimit, receipt: Receipt, units: number, nowMs: number): boolean {
    const draw = drawOf(receipt)
    if (limit.openKeys().chargeNumberOf(draw.id) === null) throw foreignReceipt(receipt.id)
    const keepMs = settleWithinMs(limit.policy)
    if (units >= 0 || ledger.isClosed(limit, draw)) return false
    if (!this.#settled.isOpen(receipt, nowMs, keepMs)) return false
    // Noted once it is charged: a charge can be refused.
    ledger.charge(limit, receipt.key, -units, nowMs)
    return this.#settled.add(receipt, nowMs, keepMs)
  }
}
