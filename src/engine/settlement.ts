import type { Policy, Rule } from "../policy/policy.js"
import type { Receipt } from "../types/receipt.js"
import type { ClosedReceipts } from "./closed-receipts.js"
import { LEAST_RESET } from "./reset-keys.js"

/*
 * A receipt settles once, by `units`: positive ones are given back, of negative ones as many more are charged, and 0
 * only closes it. So it is in memory, in the log and at the edge.
 */

const HOUR_MS = 3_600_000

/**
 * How long a receipt of a policy can be settled: as long as any of its rules could still hold the charge, and one hour
 * more for costs that are known late. In ms.
 */
export function settleWithinMs(policy: Policy): number {
  // Twice the time to fill covers a sliding window's two windows; rounding in f64 is far below the hour.
  return 2 * Math.max(...policy.rules.map(fillMs)) + HOUR_MS
}

/**
 * How long an empty quota takes to be full. A step bucket is full with its last step, of which a part may be too much.
 */
function fillMs({ capacity, limit, periodMs, refill }: Rule): number {
  return refill === null ? (capacity / limit) * periodMs : Math.ceil(capacity / refill.amount) * refill.everyMs
}

/**
 * Another policy takes the place of one: receipts that were too old stay so, also where it keeps them longer.
 *
 * @returns the time before which receipts must be closed for that; 0 where none must
 */
export function tooOldBeforeMs(from: Policy, to: Policy, nowMs: number): number {
  const keepMs = settleWithinMs(from)
  return settleWithinMs(to) > keepMs ? Math.ceil(nowMs - keepMs) : 0
}

/** What a settlement changes: the keys of a limit. */
interface Charged {
  readonly policy: Policy
  readonly charges: number
  chargeNumberOf(receiptId: string): number | null
  timeOf(key: string, nowMs: number): number
  sinceMs(key: string, rule: number, nowMs: number): number
  refund(key: string, units: number, chargedAtMs: number, nowMs: number): void
  charge(key: string, units: number, nowMs: number): void
}

/** A receipt, as far as settling it needs to know it. */
type Settleable = Pick<Receipt, "key" | "chargedAtMs">

/**
 * Closes the receipts of what a key was charged, since its quota is about to be made full.
 *
 * @throws {KeyError} {RangeError} where the key or the time cannot be; then nothing has changed
 */
export function closeCharged(
  limit: Pick<Charged, "policy" | "charges" | "timeOf">,
  settled: Pick<ClosedReceipts<never>, "resets" | "forgetResets">,
  key: string,
  nowMs: number,
): void {
  if (limit.charges === 0) return
  settled.resets.add(key, { chargeNumber: limit.charges, timeMs: limit.timeOf(key, nowMs) })
  settled.forgetResets(nowMs, settleWithinMs(limit.policy), LEAST_RESET)
}

/** Until when a rule's state that counts from a time is as it was then. */
function sameUntilMs({ algorithm, periodMs, refill }: Rule, sinceMs: number): number {
  if (algorithm === "fixed_window") return sinceMs + periodMs - 1
  return refill === null ? sinceMs : sinceMs + refill.everyMs - 1
}

/**
 * When a settlement counts: now or, where it gives units back and the clock was set back, at the last time that the key
 * has seen, before the key is moved back. So it is still known how long ago the charge was. `null` where the key was
 * moved back to before the charge already: that is not known any more, and nothing can come back.
 *
 * @throws {KeyError} {RangeError} where the receipt or the time cannot be
 */
export function settlesAtMs(
  limit: Charged,
  { key, chargedAtMs }: Settleable,
  units: number,
  nowMs: number,
): number | null {
  // Giving nothing back changes nothing, and asks the core about the key and both times.
  limit.refund(key, 0, chargedAtMs, nowMs)
  if (units <= 0) return nowMs
  let seenMs = nowMs
  // Later than this, a rule that was moved back would have leaked what it has not.
  let sameMs = Number.POSITIVE_INFINITY
  limit.policy.rules.forEach((rule, index) => {
    const sinceMs = limit.sinceMs(key, index, nowMs)
    // A full quota has seen nothing.
    if (sinceMs === Number.POSITIVE_INFINITY) return
    seenMs = Math.max(seenMs, sinceMs)
    sameMs = Math.min(sameMs, sameUntilMs(rule, sinceMs))
  })
  if (sameMs === Number.POSITIVE_INFINITY) sameMs = nowMs
  if (chargedAtMs > Math.max(nowMs, sameMs)) return null
  return Math.max(nowMs, Math.min(seenMs, sameMs))
}

/**
 * Settles a receipt as a caller asks for it: nothing of what was charged before its key's last reset, which is closed.
 *
 * @returns when it counts, `null` where it is closed or too old, or nothing can come back until the clock has come to
 * its charge again; then nothing has changed
 * @throws as `settleOnce`
 */
export function settle(
  limit: Charged,
  settled: ClosedReceipts<Receipt>,
  receipt: Receipt,
  units: number,
  nowMs: number,
): number | null {
  const chargeNumber = limit.chargeNumberOf(receipt.id)
  if (chargeNumber !== null && settled.resets.has(receipt.key, chargeNumber)) return null
  const atMs = settlesAtMs(limit, receipt, units, nowMs)
  return atMs !== null && settleOnce(limit, settled, receipt, units, atMs, nowMs) ? atMs : null
}

/**
 * Settles a receipt once.
 *
 * @param settled those of the limit that were settled before
 * @param atMs when it counts
 * @param nowMs the clock's time, by which others are too old
 * @returns false where it was settled before or is too old; then nothing has changed
 * @throws {KeyError} {RangeError} where the receipt cannot be, or no more can be charged; then it stays open
 */
export function settleOnce<Settled extends Settleable>(
  limit: Charged,
  settled: Pick<ClosedReceipts<Settled>, "isOpen" | "add">,
  receipt: Settled,
  units: number,
  atMs: number,
  nowMs = atMs,
): boolean {
  const { key, chargedAtMs } = receipt
  const keepMs = settleWithinMs(limit.policy)
  if (!settled.isOpen(receipt, atMs, keepMs)) return false
  // A charge can be refused: of a new key where there is no room for one, say.
  if (units < 0) limit.charge(key, -units, atMs)
  else limit.refund(key, units, chargedAtMs, atMs)
  return settled.add(receipt, nowMs, keepMs)
}
