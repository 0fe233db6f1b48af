import { BoundedMap } from "../src/lib/bounded-map.js"

/** Admissions whose calls are remembered; beyond that the oldest is forgotten first. */
const MAX_HELD = 8_192

/**
 * Which calls were told an admission that a caller named, so that none of them gives back what another was promised.
 *
 * A call that decides over several objects gives back what this one charged where another one denied. Meanwhile the
 * same call may have come again under the same id, and have been told the admission again. So it is given back once
 * every call that was told it has given it up. One that is not known here stays: that is stricter than it should be,
 * never looser.
 */
export class ChargeHolders {
  /** The calls by the receipts' ids, the oldest first. */
  readonly #calls = new BoundedMap<string, Set<string>>(MAX_HELD)

  /** A call charged. */
  charged(receiptId: string, call: string): void {
    this.#calls.set(receiptId, new Set([call]))
  }

  /** A call was told what was charged before. */
  toldAgain(receiptId: string, call: string): void {
    this.#calls.get(receiptId)?.add(call)
  }

  /** Somebody was told it who does not give it up. */
  keep(receiptId: string): void {
    this.#calls.delete(receiptId)
  }

  /** A call gives an admission up. Whether it is to be given back: all who were told it have given it up. */
  giveUp(receiptId: string, call: string): boolean {
    const calls = this.#calls.get(receiptId)
    if (calls === undefined || !calls.delete(call) || calls.size > 0) return false
    return this.#calls.delete(receiptId)
  }
}
