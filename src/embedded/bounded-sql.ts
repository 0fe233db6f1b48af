import type { LogRow, SqlPort, SqlValue } from "../ledger/sql-port.js"

/** What is to be known of the room on a disk. */
interface Room {
  prepare(): boolean
  bounded<T>(write: () => T): T
  pagesOf(rowBytes: number | null): number
  requireFor(pages: number): void
  noteCommit(): void
}

/** SQL of which no commit, of a transaction or of a statement by itself, takes more room than the disk has for it. */
export class BoundedSql implements SqlPort {
  readonly #sql: SqlPort
  readonly #room: Room
  /** Pages of the rows that the transaction under way has written or dropped, at most; `null` where there is none. */
  #pages: number | null = null

  constructor(sql: SqlPort, room: Room) {
    this.#sql = sql
    this.#room = room
  }

  run(statement: string, ...values: SqlValue[]): void {
    if (this.#pages !== null) {
      this.#pages += this.#room.pagesOf(bytesOf(values))
      this.#sql.run(statement, ...values)
    } else if (this.#room.prepare()) {
      this.#bounded(() => this.run(statement, ...values))
    } else {
      this.#sql.run(statement, ...values)
      this.#room.noteCommit()
    }
  }

  rows(statement: string, ...values: SqlValue[]): Iterable<LogRow> {
    return this.#sql.rows(statement, ...values)
  }

  transaction<T>(work: () => T): T {
    if (this.#room.prepare()) return this.#bounded(work)
    const result = this.#sql.transaction(() => this.#within(work))
    this.#room.noteCommit()
    return result
  }

  #bounded<T>(work: () => T): T {
    const result = this.#room.bounded(() =>
      this.#sql.transaction(() =>
        this.#within(() => {
          const done = work()
          this.#room.requireFor(this.#pages!)
          return done
        }),
      ),
    )
    this.#room.noteCommit()
    return result
  }

  #within<T>(work: () => T): T {
    this.#pages = 0
    try {
      return work()
    } finally {
      this.#pages = null
    }
  }
}

/** Of the row that a statement writes; `null` of one that writes none. */
function bytesOf(values: readonly SqlValue[]): number | null {
  const body = values.find((value) => typeof value !== "number")
  return body?.length ?? null
}
