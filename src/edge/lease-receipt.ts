import type { Receipt } from "../types/receipt.js"

/** Parts the id of a draw's receipt from the number of what was spent of it. */
const SPEND_MARK = "/"

/** Whether a receipt is of units that were spent from a lease, whoever drew it. */
export function isLeaseReceipt({ id }: Receipt): boolean {
  return id.includes(SPEND_MARK)
}

/** The receipt of the draw that units were spent from. */
export function drawOf(receipt: Receipt): Receipt {
  return { ...receipt, id: splitSpendId(receipt.id)[0] }
}

/** The id of the receipt of one spending, the first or a later one, of the units of a draw. */
export function spendId(draw: string, spend: number): string {
  return `${draw}${SPEND_MARK}${spend.toString(36)}`
}

export function splitSpendId(id: string): [draw: string, spend: number] {
  const at = id.indexOf(SPEND_MARK)
  return [id.slice(0, at), Number.parseInt(id.slice(at + 1), 36)]
}
