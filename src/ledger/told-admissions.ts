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

/**
 * The admissions of a limit that callers named, so that a call which is repeated after its answer got lost is charged
 * once. What is too old goes when another one is noted: never by the time of a question, which the log does not tell. So
 * does the oldest at the bound, after which its call is charged anew.
 */
export class ToldAdmissions {
  readonly #most: number
  readonly #byName = new Map<string, ToldAdmission>()

  /** @param most the most admissions remembered, at least 1 */
  constructor(most = MOST_IDS) {
    this.#most = most
  }

  /** The admission under this id and key, while it may be told again. */
  find(id: string, key: string, nowMs: number): ToldAdmission | undefined {
    const told = this.#byName.get(nameOf(id, key))
    return told === undefined || isTooOld(told, nowMs) ? undefined : told
  }

  add(told: ToldAdmission, nowMs: number): void {
    // Taken out first, so that no other one goes for it.
    this.#byName.delete(nameOf(told.id, told.key))
    for (const [name, oldest] of this.#byName) {
      if (!isTooOld(oldest, nowMs) && this.#byName.size < this.#most) break
      this.#byName.delete(name)
    }
    this.restore(told)
  }

  /** Puts one back that `entries` told, as the newest. */
  restore(told: ToldAdmission): void {
    const name = nameOf(told.id, told.key)
    this.#byName.delete(name)
    this.#byName.set(name, told)
  }

  /** All that may be told again at a time, the oldest first. */
  entries(nowMs: number): ToldAdmission[] {
    return [...this.#byName.values()].filter((told) => !isTooOld(told, nowMs))
  }
}

/** An id is printable, so that a line break cannot be a part of it. */
function nameOf(id: string, key: string): string {
  return `${id}\n${key}`
}

function isTooOld({ chargedAtMs }: ToldAdmission, nowMs: number): boolean {
  return chargedAtMs + REPEAT_WITHIN_MS < nowMs
}
