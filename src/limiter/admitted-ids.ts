import { MOST_IDS, REPEAT_WITHIN_MS, requireCallId, requireSameCost } from "../engine/call-id.js"
import type { Receipt } from "../types/receipt.js"

/** What is known of an admission: its cost, and its receipt where it charged. */
interface Admission {
  readonly cost: number
  readonly receipt?: Receipt
}

/**
 * The admissions that carried an id, so that a repeated call is told again what it was told, and is charged once.
 *
 * Held for 5 minutes and bounded: at the bound the oldest is forgotten, after which repeating its call charges anew. That
 * is stricter than it should be, never looser. Denials are not remembered, for they charged nothing; nor is an admission
 * whose receipt was settled, for its charge may not stand any more.
 */
export class AdmittedIds<T extends Admission = Admission> {
  readonly #most: number
  /** Oldest first, by a text that is one for each id and subject. */
  readonly #admissions = new Map<string, { readonly atMs: number; readonly admission: T }>()
  /** The places of those with receipts, by the receipts' ids. */
  readonly #byReceipt = new Map<string, string>()

  /** @param most the most admissions remembered, at least 1 */
  constructor(most = MOST_IDS) {
    this.#most = most
  }

  /** How many are remembered, those included that are too old and not dropped yet. */
  get size(): number {
    return this.#admissions.size
  }

  /**
   * What was admitted under an id within the last 5 minutes.
   *
   * @param subject whose id it is: the same id of another key, or under another limit, is another call
   * @param cost what the call asks for
   * @throws {RangeError} where the id cannot be one, or was admitted with another cost
   */
  find(id: string, subject: string, cost: number, nowMs: number): T | undefined {
    requireCallId(id)
    const found = this.#admissions.get(placeOf(id, subject))
    if (found === undefined || nowMs - found.atMs > REPEAT_WITHIN_MS) return undefined
    requireSameCost(id, cost, found.admission.cost)
    return found.admission
  }

  /** Remembers an admission. */
  add(id: string, subject: string, nowMs: number, admission: T): void {
    const place = placeOf(id, subject)
    // Taken out first, so that it goes to the end: the map's order is the order of time.
    this.#drop(place)
    for (const [oldest, { atMs }] of this.#admissions) {
      if (nowMs - atMs <= REPEAT_WITHIN_MS && this.#admissions.size < this.#most) break
      this.#drop(oldest)
    }
    this.#admissions.set(place, { atMs: nowMs, admission })
    if (admission.receipt !== undefined) this.#byReceipt.set(admission.receipt.id, place)
  }

  /** Forgets the admission of a receipt that was settled: the call may be made anew. */
  forget({ id }: Receipt): void {
    const place = this.#byReceipt.get(id)
    if (place !== undefined) this.#drop(place)
  }

  #drop(place: string): void {
    const receipt = this.#admissions.get(place)?.admission.receipt
    if (receipt !== undefined) this.#byReceipt.delete(receipt.id)
    this.#admissions.delete(place)
  }
}

/** An id is printable ASCII, so what stands before the first NUL is the id, whatever the subject holds. */
function placeOf(id: string, subject: string): string {
  return `${id}\0${subject}`
}
