import { UNITS_MAX } from "../engine/core-exports.js"
import { unitsError } from "../engine/limit.js"
import { checkWhole } from "../policy/check-fields.js"
import type { CheckOptions } from "../types/limiter.js"
import type { Receipt } from "../types/receipt.js"

/** The cost that options name. The core refuses what is no whole number in range; a text would be taken as one. */
export function costOf(options: CheckOptions | undefined): number {
  return options?.cost === undefined ? 1 : requireNumber(options.cost)
}

/** @throws {RangeError} where units are no number: WebAssembly would make one of them */
export function requireNumber(units: number): number {
  if (typeof units === "number") return units
  throw unitsError(units)
}

/** @throws {RangeError} where so many units of a receipt cannot be given back */
export function requireRefund(receipt: Receipt, units: number): void {
  checkWhole("refund", "units", units, 0, receipt.cost)
}

/** @throws {RangeError} where a check cannot have cost that */
export function requireActualCost(actualCost: number): void {
  checkWhole("settle", "cost", actualCost, 0, UNITS_MAX)
}
