import { MAX_IDS, REPEAT_WITHIN_MS, requireCallId, requireSameCost } from "./call-id.js"

/** An admission that a caller named: what a limit knows of it, to tell it again. */
export interface ChargedAdmission {
  readonly id: string
  readonly key: string
  readonly cost: number
  /** When its call was made, by the clock of then. */
  readonly calledAtMs: number
  /** The same or, where the clock had been set back, the later time that the key had seen. */
  readonly chargedAtMs: number
  /** The number of its receipt. */
  readonly chargeNumber: number
}

/** An admission, and which one it is in the order of telling. */
export interface Numbered {
  readonly admission: ChargedAdmission
  readonly number: number
}

/**
 * Idempotency: the admissions that callers named by an id, so that a call which is repeated after its answer got lost
 * is charged once. One that is too old is forgotten when another one is noted, never at the time of a question, which a
 * log does not tell. At the bound the oldest is forgotten, and its call is charged anew when it comes again: that is
 * stricter than it should be, never looser. Denials are not among them, for they charged nothing.
 */
export class NamedAdmissions {
  readonly #most: number
  readonly #requireId: (id: unknown) => void
  /** Made with the first one: most limits of many have none. The oldest first. */
  protected byName: Map<string, Numbered> | null = null
  protected next = 0

  /**
   * @param most the most admissions remembered, at least 1
   * @param requireId throws where an id cannot be one
   */
  constructor(most = MAX_IDS, requireId: (id: unknown) => void = requireCallId) {
    this.#most = most
    this.#requireId = requireId
  }

  /**
   * The admission under this id and key, while it may be told again.
   *
   * @param cost what the call asks for, `null` where it takes what was admitted
   * @param isSettled whether its charge may not stand any more: then it is not told again
   * @throws {RangeError} where the id cannot be one, or was admitted with another cost
   */
  find(
    id: string,
    key: string,
    cost: number | null,
    nowMs: number,
    isSettled?: (admission: ChargedAdmission) => boolean,
  ): ChargedAdmission | undefined {
    this.#requireId(id)
    const named = this.byName?.get(nameOf(id, key))
    if (named === undefined) return undefined
    const { admission } = named
    // A call of a clock that was far ahead is longer ago than that clock told.
    const isOfLater = admission.calledAtMs > nowMs + REPEAT_WITHIN_MS
    if (isOfLater || isTooOld(admission, nowMs) || isSettled?.(admission)) return undefined
    requireSameCost(id, cost ?? admission.cost, admission.cost)
    return admission
  }

  add(admission: ChargedAdmission): void {
    // Taken out first, so that no other one goes for it.
    this.forget(nameOf(admission.id, admission.key))
    const { byName } = this
    for (const [name, oldest] of byName ?? []) {
      if (!isTooOld(oldest.admission, admission.calledAtMs) && byName!.size < this.#most) break
      this.forget(name)
    }
    this.restore(admission)
  }

  /** Puts one back, as the newest. */
  restore(admission: ChargedAdmission): void {
    const name = nameOf(admission.id, admission.key)
    this.forget(name)
    this.byName ??= new Map()
    this.byName.set(name, { admission, number: this.next++ })
  }

  protected forget(name: string): void {
    this.byName?.delete(name)
  }
}

/** One text for an id and a key: an id is printable, so that a line break cannot be a part of it. */
export function nameOf(id: string, key: string): string {
  return `${id}\n${key}`
}

/** Whether its call was made too long ago to be told again. */
export function isTooOld({ calledAtMs }: ChargedAdmission, nowMs: number): boolean {
  return calledAtMs + REPEAT_WITHIN_MS < nowMs
}
