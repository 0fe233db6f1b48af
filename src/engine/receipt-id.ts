import { show } from "../types/errors.js"

/** Who gives receipts: their ids start with the issuer's, and tell its policy. */
export interface Issuer {
  readonly id: string
  readonly policyName: string
}

/** The id of an issuer's receipt. */
export function receiptId(issuer: Issuer, charge: number): string {
  return `${issuer.id}-${charge.toString(36)}`
}

/** The number of a charge, 1 … `charges`, by its receipt's id; `null` where that is none of the issuer's. */
export function chargeOfReceipt(issuer: Issuer, id: string, charges: number): number | null {
  const head = `${issuer.id}-`
  // A receipt may come from outside, where types are not checked.
  const charge = typeof id === "string" && id.startsWith(head) ? Number.parseInt(id.slice(head.length), 36) : Number.NaN
  return charge >= 1 && charge <= charges && receiptId(issuer, charge) === id ? charge : null
}

/** The error of a receipt that is another one's, the same whoever is asked. */
export function foreignReceipt(id: string): RangeError {
  return new RangeError(`Cannot settle receipt ${show(id)}: it is not of this limiter.`)
}
