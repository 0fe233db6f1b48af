import { UNITS_MAX } from "../engine/core-exports.js"
import { show } from "../types/errors.js"
import type { CheckOptions } from "../types/limiter.js"
import type { Receipt } from "../types/receipt.js"

/** The cost that options name. The core refuses what is no whole number in range; a text would be taken as one. */
export function costOf(options: CheckOptions | undefined): number {
  return options?.cost === undefined ? 1 : requireNumber(options.cost)
}

/** @throws {RangeError} where units are no number: WebAssembly would make one of them */
export function requireNumber(units: number): number {
  if (typeof units === "number") return units
  throw new RangeError(`Cannot take ${show(units)} units: allowed are whole units from 0 to ${UNITS_MAX}.`)
}

/** @throws {RangeError} where so many units of a receipt cannot be given back */
export function requireRefund(receipt: Receipt, units: number): void {
  if (Number.isInteger(units) && units >= 0 && units <= receipt.cost) return
  throw new RangeError(`Cannot refund ${show(units)} units: allowed are 0 to the receipt's cost ${receipt.cost}.`)
}

/** @throws {RangeError} where a check cannot have cost that */
export function requireActualCost(actualCost: number): void {
  if (Number.isInteger(actualCost) && actualCost >= 0 && actualCost <= UNITS_MAX) return
  throw new RangeError(`Cannot settle at cost ${show(actualCost)}: allowed are whole units from 0 to ${UNITS_MAX}.`)
}
