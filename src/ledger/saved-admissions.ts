import { type ChargedAdmission, isTooOld, NamedAdmissions, type Numbered, nameOf } from "../engine/named-admissions.js"

/** A save that is under way: of those with a number from `from` to before `end`. */
interface Saving {
  readonly admissions: Iterator<Numbered, undefined>
  readonly tell: (admission: ChargedAdmission) => void
  readonly end: number
  from: number
}

/**
 * Idempotency across restarts: the named admissions of a limit, which a snapshot holds. They are saved little by
 * little, while others come and go.
 */
export class SavedAdmissions extends NamedAdmissions {
  #saving: Saving | null = null

  protected override forget(name: string): void {
    const saving = this.#saving
    if (saving !== null) {
      const named = this.byName?.get(name)
      // One that is forgotten before its turn is saved now: replaying the log after it forgets it at the same moment.
      if (named !== undefined && named.number >= saving.from && named.number < saving.end) saving.tell(named.admission)
    }
    super.forget(name)
  }

  get size(): number {
    return this.byName?.size ?? 0
  }

  /** Whether it remembers this admission as it is told. */
  holds({ id, key, cost, chargeNumber, calledAtMs, chargedAtMs }: ChargedAdmission): boolean {
    const held = this.byName?.get(nameOf(id, key))?.admission
    if (held?.calledAtMs !== calledAtMs || held.chargedAtMs !== chargedAtMs) return false
    return held.cost === cost && held.chargeNumber === chargeNumber
  }

  /**
   * Forgets what is too old at a time, and starts to save the others, the oldest first: `saveSome` goes on.
   *
   * @param tell called with each
   */
  beginSave(nowMs: number, tell: (admission: ChargedAdmission) => void): void {
    const { byName } = this
    if (byName === null) return
    for (const [name, { admission }] of byName) if (isTooOld(admission, nowMs)) byName.delete(name)
    const admissions: Iterator<Numbered, undefined> = byName.values()
    this.#saving = { admissions, tell, end: this.next, from: 0 }
  }

  /** Tells up to so many of those that were there when the save was begun. Whether there are more. */
  saveSome(count: number): boolean {
    const saving = this.#saving
    if (saving === null) return false
    for (let saved = 0; saved < count; saved++) {
      const { value } = saving.admissions.next()
      if (value === undefined || value.number >= saving.end) {
        this.#saving = null
        return false
      }
      saving.from = value.number + 1
      saving.tell(value.admission)
    }
    return true
  }
}
