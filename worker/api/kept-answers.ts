import { BoundedMap } from "../../src/lib/bounded-map.js"

/** Answers of so many questions are kept. */
const MAX_QUESTIONS = 16
const MAX_KEPT_MS = 60_000

/** What an answer was read from. */
export interface Scanned<Row> {
  readonly rows: Row[]
  readonly rowsRead: number
}

interface Kept {
  readonly rows: readonly unknown[]
  readonly untilMs: number
  readonly readAtMs: number
}

/**
 * Answers for which all keys have to be read, each kept for as many milliseconds as rows were read, a minute at most:
 * so who asks again and again has a thousand rows read a second, or all of them once a minute.
 */
export class KeptAnswers {
  readonly #kept = new BoundedMap<string, Kept>(MAX_QUESTIONS)

  /** @param scan answers the question anew */
  ask<Row>(question: string, scan: () => Scanned<Row>): readonly Row[] {
    const nowMs = Date.now()
    const kept = this.#kept.get(question)
    if (kept !== undefined && nowMs >= kept.readAtMs && nowMs < kept.untilMs) return kept.rows as readonly Row[]
    const { rows, rowsRead } = scan()
    this.#kept.set(question, { rows, readAtMs: nowMs, untilMs: nowMs + Math.min(rowsRead, MAX_KEPT_MS) })
    return rows
  }

  clear(): void {
    this.#kept.clear()
  }
}
