import { show } from "../types/errors.js"

/** Who gives receipts: their ids start with the issuer's, and tell its policy. */
export interface Issuer {
  readonly id: string
  readonly policyName: string
}

/** The id of an issuer's receipt. */
export function receiptId(issuer: Issuer, chargeNumber: number): string {
  return `${issuer.id}-${chargeNumber.toString(36)}`
}

/** The number of a charge, 1 … `charges`, by its receipt's id; `null` where that is none of the issuer's. */
export function chargeNumberOf(issuer: Issuer, id: string, charges: number): number | null {
  const head = `${issuer.id}-`
  // A receipt may come from outside, where types are not checked.
  const text = typeof id === "string" && id.startsWith(head) ? id.slice(head.length) : ""
  const chargeNumber = Number.parseInt(text, 36)
  return chargeNumber >= 1 && chargeNumber <= charges && receiptId(issuer, chargeNumber) === id ? chargeNumber : null
}

/** The error of a receipt that is another one's, the same whoever is asked. */
export function foreignReceipt(id: string): RangeError {
  return new RangeError(`Cannot settle receipt ${show(id)}: it is not of this limiter.`)
}
