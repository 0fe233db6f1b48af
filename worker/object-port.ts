import type { LedgerPort, LogRow, SqlPort, SqlValue } from "../src/ledger/sql-port.js"

/** A Durable Object's storage as a ledger's SQL; it counts the rows that are billed as written. */
class ObjectSql implements SqlPort {
  readonly #storage: DurableObjectStorage
  rowsWritten = 0

  constructor(storage: DurableObjectStorage) {
    this.#storage = storage
  }

  run(statement: string, ...values: SqlValue[]): void {
    const cursor = this.#storage.sql.exec(statement, ...values)
    this.rowsWritten += cursor.rowsWritten
  }

  *rows(statement: string, ...values: SqlValue[]): Iterable<LogRow> {
    for (const { id, body } of this.#storage.sql.exec(statement, ...values)) {
      yield { id: Number(id), body: body instanceof ArrayBuffer ? new Uint8Array(body) : (body as never) }
    }
  }

  transaction<T>(work: () => T): T {
    return this.#storage.transactionSync(work)
  }
}

/** The platform of a ledger in a Durable Object. */
export interface ObjectLedgerPort extends LedgerPort {
  readonly sql: ObjectSql
}

export function objectLedgerPort(storage: DurableObjectStorage): ObjectLedgerPort {
  return {
    sql: new ObjectSql(storage),
    sha256: async (bytes) => new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)),
    // The next turn: checks that are queued behind this one are heard first and share its row. An answer still waits
    // for the output gate, which opens when the row is durable.
    defer: (work) => {
      setTimeout(work, 0)
    },
  }
}
