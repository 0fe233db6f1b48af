import type { Policy } from "../policy/policy.js"
import type { Receipt } from "../types/receipt.js"
import type { Core } from "./core.js"
import { Limit } from "./limit.js"
import type { LimitDecision } from "./limit-decision.js"
import { NamedAdmissions } from "./named-admissions.js"
import { foreignReceipt } from "./receipt-id.js"
import { SettledReceipts } from "./settled-receipts.js"
import { closeCharged, settle, tooOldBeforeMs } from "./settlement.js"
import type { TableOptions } from "./table-options.js"

/**
 * A limit that only memory holds, with what it knows beside its keys: which receipts are closed, which calls had an id.
 */
export class MemoryLimit extends Limit {
  readonly settled = new SettledReceipts()
  readonly #admissions: NamedAdmissions
  readonly #keyPrefix: string

  /**
   * @param admissions where calls that had an id are remembered, those of other limits among them
   * @param keyPrefix tells its keys apart from those of the others there
   */
  constructor(
    core: Core,
    policy: Policy,
    options: TableOptions,
    admissions: NamedAdmissions = new NamedAdmissions(),
    keyPrefix = "",
  ) {
    super(core, policy, options)
    this.#admissions = admissions
    this.#keyPrefix = keyPrefix
  }

  /** One text for a key of this limit, another one for the same key of a limit with which it shares its admissions. */
  subjectOf(key: string): string {
    return this.#keyPrefix + key
  }

  /**
   * An admission of the last 5 minutes under the id that a call has: charged then, the rest as it is now.
   *
   * @throws {RangeError} where the id cannot be one, or was admitted with another cost
   */
  toldAgain(key: string, cost: number, nowMs: number, id: string | undefined): LimitDecision | undefined {
    if (id === undefined) return undefined
    const admission = this.#admissions.find(id, this.subjectOf(key), cost, nowMs, ({ chargeNumber, chargedAtMs }) =>
      this.settled.mayBeSettled({ id: this.receiptId(chargeNumber), chargedAtMs }),
    )
    return admission && this.again(key, admission, nowMs)
  }

  /** As `check`, of a call that is not told again, and may be later where it has an id. */
  checkAnew(key: string, cost: number, nowMs: number, id: string | undefined): LimitDecision {
    const decision = this.check(key, cost, nowMs)
    if (id === undefined || decision.receipt === undefined) return decision
    const { chargedAtMs } = decision.receipt
    const { charges: chargeNumber } = this
    this.#admissions.add({ id, key: this.subjectOf(key), cost, chargeNumber, calledAtMs: nowMs, chargedAtMs })
    return decision
  }

  /**
   * Settles a receipt as the function `settle` does.
   *
   * @returns when it counts; `null` where it is closed, or nothing can come back yet: then nothing has changed
   * @throws {RangeError} also where it is another limit's
   */
  settle(receipt: Receipt, units: number, nowMs: number): number | null {
    if (this.chargeNumberOf(receipt.id) === null) throw foreignReceipt(receipt.id)
    return settle(this, this.settled, receipt, units, nowMs)
  }

  /** Makes a key's quota full, ends its block and closes its receipts. Whether there was anything to forget. */
  override reset(key: string, nowMs: number): boolean {
    closeCharged(this, this.settled, key, nowMs)
    return super.reset(key, nowMs)
  }

  /** Puts another policy in place. What was used stays used, and receipts that were too old stay so. */
  override change(policy: Policy, nowMs: number): void {
    const before = this.policy
    super.change(policy, nowMs)
    this.settled.closeBefore(tooOldBeforeMs(before, policy, nowMs))
  }
}
