import type { LedgerPort, LogRow, SqlPort, SqlValue } from "../src/ledger/sql-port.js"

/** A Durable Object's storage as a ledger's SQL; it counts the rows that are billed as written. */
class ObjectSql implements SqlPort {
  readonly #storage: DurableObjectStorage
  /** Settles when what was written last is durable; `null` when all is. */
  #syncing: Promise<void> | null = null
  rowsWritten = 0

  constructor(storage: DurableObjectStorage) {
    this.#storage = storage
  }

  run(statement: string, ...values: SqlValue[]): void {
    const cursor = this.#storage.sql.exec(statement, ...values)
    this.rowsWritten += cursor.rowsWritten
    if (this.#syncing !== null) return
    const done = () => {
      this.#syncing = null
    }
    // A sync that fails takes the object with it; whoever waits only needs to go on.
    this.#syncing = this.#storage.sync().then(done, done)
  }

  *rows(statement: string, ...values: SqlValue[]): Iterable<LogRow> {
    for (const { id, body } of this.#storage.sql.exec(statement, ...values)) {
      yield { id: Number(id), body: body instanceof ArrayBuffer ? new Uint8Array(body) : (body as never) }
    }
  }

  transaction<T>(work: () => T): T {
    return this.#storage.transactionSync(work)
  }

  /** Runs `work` now, or once the commit that is on its way is durable. */
  afterCommit(work: () => void): void {
    if (this.#syncing === null) work()
    else void this.#syncing.then(work)
  }
}

/** The platform of a ledger in a Durable Object. */
export interface ObjectLedgerPort extends LedgerPort {
  readonly sql: ObjectSql
}

export function objectLedgerPort(storage: DurableObjectStorage): ObjectLedgerPort {
  const sql = new ObjectSql(storage)
  return {
    sql,
    sha256: async (bytes) => new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)),
    // A lone check is written at once. Checks that come while a commit is on its way share the next row. An answer
    // still waits for the output gate, which opens when its row is durable.
    defer: (work) => sql.afterCommit(work),
    after: (ms, work) => {
      setTimeout(work, ms)
    },
  }
}
