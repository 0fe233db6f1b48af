import { unfit } from "../policy/check-fields.js"

/** How long an admission is remembered under its id, in ms: 5 minutes. */
const REMEMBER_MS = 300_000
/** The most admissions remembered by default. */
const MOST_IDS = 65_536

const ID = /^[ -~]{1,64}$/

/**
 * The admissions that carried an id, so that a repeated call is told again what it was told, and is charged once.
 *
 * Held for 5 minutes and bounded: at the bound the oldest is forgotten, after which repeating its call charges anew. That
 * is stricter than it should be, never looser. Denials are not remembered, for they charged nothing.
 */
export class AdmittedIds<T> {
  readonly #most: number
  /** Oldest first, by a text that is one for each id and subject. */
  readonly #admissions = new Map<string, { readonly atMs: number; readonly admission: T }>()

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
   * @throws {RangeError} where the id cannot be one
   */
  find(id: string, subject: string, nowMs: number): T | undefined {
    requireId(id)
    const found = this.#admissions.get(placeOf(id, subject))
    return found !== undefined && nowMs - found.atMs <= REMEMBER_MS ? found.admission : undefined
  }

  /** Remembers an admission. */
  add(id: string, subject: string, nowMs: number, admission: T): void {
    const place = placeOf(id, subject)
    // Taken out first, so that it goes to the end: the map's order is the order of time.
    this.#admissions.delete(place)
    for (const [oldest, { atMs }] of this.#admissions) {
      if (nowMs - atMs <= REMEMBER_MS && this.#admissions.size < this.#most) break
      this.#admissions.delete(oldest)
    }
    this.#admissions.set(place, { atMs: nowMs, admission })
  }
}

/** An id is printable ASCII, so what stands before the first NUL is the id, whatever the subject holds. */
function placeOf(id: string, subject: string): string {
  return `${id}\0${subject}`
}

/** @throws {RangeError} where a call cannot be named so */
function requireId(id: unknown): void {
  if (typeof id === "string" && ID.test(id)) return
  throw unfit("check", "id", id, "1 to 64 printable ASCII characters")
}
