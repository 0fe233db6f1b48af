import { MOST_IDS, REPEAT_WITHIN_MS } from "../engine/call-id.js"

/** An admission that a caller named. */
export interface ToldAdmission {
  readonly id: string
  readonly key: string
  readonly cost: number
  /** The number of its receipt. */
  readonly charge: number
  readonly chargedAtMs: number
}

/** An admission, and which one it is in the order of telling. */
interface Told {
  readonly admission: ToldAdmission
  readonly number: number
}

/** A save that is under way: of those with a number from `from` to before `end`. */
interface Saving {
  readonly told: Iterator<Told, undefined>
  readonly tell: (admission: ToldAdmission) => void
  readonly end: number
  from: number
}

/**
 * The admissions of a limit that callers named, so that a call which is repeated after its answer got lost is charged
 * once. What is too old goes when another one is noted: never by the time of a question, which the log does not tell. So
 * does the oldest at the bound, after which its call is charged anew.
 */
export class ToldAdmissions {
  readonly #most: number
  /** Made with the first one: most limits of many are told none. */
  #byName: Map<string, Told> | null = null
  #next = 0
  #saving: Saving | null = null

  /** @param most the most admissions remembered, at least 1 */
  constructor(most = MOST_IDS) {
    this.#most = most
  }

  /** The admission under this id and key, while it may be told again. */
  find(id: string, key: string, nowMs: number): ToldAdmission | undefined {
    const admission = this.#byName?.get(nameOf(id, key))?.admission
    return admission === undefined || isTooOld(admission, nowMs) ? undefined : admission
  }

  add(admission: ToldAdmission, nowMs: number): void {
    // Taken out first, so that no other one goes for it.
    const byName = this.#named
    this.#delete(byName, nameOf(admission.id, admission.key))
    for (const [name, oldest] of byName) {
      if (!isTooOld(oldest.admission, nowMs) && byName.size < this.#most) break
      this.#delete(byName, name)
    }
    this.restore(admission)
  }

  /** Puts one back that `entries` or a save told, as the newest. */
  restore(admission: ToldAdmission): void {
    const byName = this.#named
    const name = nameOf(admission.id, admission.key)
    this.#delete(byName, name)
    byName.set(name, { admission, number: this.#next++ })
  }

  get #named(): Map<string, Told> {
    this.#byName ??= new Map()
    return this.#byName
  }

  #delete(byName: Map<string, Told>, name: string): void {
    const saving = this.#saving
    if (saving !== null) {
      const told = byName.get(name)
      // One that goes before its turn is told now: whoever reads them lets go of it at the same moment.
      if (told !== undefined && told.number >= saving.from && told.number < saving.end) saving.tell(told.admission)
    }
    byName.delete(name)
  }

  /** All that may be told again at a time, the oldest first. */
  entries(nowMs: number): ToldAdmission[] {
    return Array.from(this.#byName?.values() ?? [], ({ admission }) => admission).filter(
      (told) => !isTooOld(told, nowMs),
    )
  }

  /**
   * Forgets what is too old at a time, and starts to save the others, the oldest first: `saveSome` goes on.
   *
   * @param tell hears of each
   */
  beginSave(nowMs: number, tell: (admission: ToldAdmission) => void): void {
    const byName = this.#byName
    if (byName === null) return
    for (const [name, { admission }] of byName) if (isTooOld(admission, nowMs)) byName.delete(name)
    const told: Iterator<Told, undefined> = byName.values()
    this.#saving = { told, tell, end: this.#next, from: 0 }
  }

  /** Tells up to so many of those that were there when the save was begun. Whether there are more. */
  saveSome(count: number): boolean {
    const saving = this.#saving
    if (saving === null) return false
    for (let told = 0; told < count; told++) {
      const { value } = saving.told.next()
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

/** An id is printable, so that a line break cannot be a part of it. */
function nameOf(id: string, key: string): string {
  return `${id}\n${key}`
}

function isTooOld({ chargedAtMs }: ToldAdmission, nowMs: number): boolean {
  return chargedAtMs + REPEAT_WITHIN_MS < nowMs
}
