import { MOST_IDS, REPEAT_WITHIN_MS, requireCallId, requireSameCost } from "../engine/call-id.js"
import type { SettledReceipts } from "../engine/settled-receipts.js"
import type { Receipt } from "../types/receipt.js"

/** An admission, with its receipt where it can be settled. */
interface Admission {
  readonly receipt?: Receipt
}

interface Told<T> {
  readonly admission: T
  readonly cost: number
  readonly atMs: number
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
  /** Oldest first, by id and subject: an id is printable, so what stands before the first NUL is the id. */
  readonly #told = new Map<string, Told<T>>()

  /** @param most the most admissions remembered, at least 1 */
  constructor(most = MOST_IDS) {
    this.#most = most
  }

  /**
   * What was admitted under an id within the last 5 minutes, and not settled since.
   *
   * @param id nothing is found where there is none
   * @param subject whose id it is: the same id of another key, or under another limit, is another call
   * @param cost what the call asks for
   * @throws {RangeError} where the id cannot be one, or was admitted with another cost
   */
  find(id: string | undefined, subject: string, cost: number, nowMs: number, settled?: SettledReceipts): T | undefined {
    if (id === undefined) return undefined
    requireCallId(id)
    const told = this.#told.get(`${id}\0${subject}`)
    if (!told || told.atMs < nowMs - REPEAT_WITHIN_MS) return undefined
    const { admission } = told
    // Settled receipts are remembered for an hour at least.
    if (admission.receipt && settled?.has(admission.receipt.id)) return undefined
    requireSameCost(id, cost, told.cost)
    return admission
  }

  /** Remembers an admission. */
  add(id: string, subject: string, cost: number, nowMs: number, admission: T): void {
    const place = `${id}\0${subject}`
    // Taken out first, so that it goes to the end: the map's order is the order of time.
    this.#told.delete(place)
    for (const [oldest, { atMs }] of this.#told) {
      if (this.#told.size < this.#most && atMs >= nowMs - REPEAT_WITHIN_MS) break
      this.#told.delete(oldest)
    }
    this.#told.set(place, { admission, cost, atMs: nowMs })
  }
}
