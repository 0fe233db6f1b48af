import { hash } from "node:crypto"
import type { DatabaseSync } from "node:sqlite"
import { StoreCorrupt, StoreLocked, StoreUnavailable } from "../types/errors.js"
import type { LedgerPort, LogRow, SqlPort, SqlValue } from "./sql-port.js"

/** What SQLite's result codes mean for a store; they carry more in their higher bits. */
const SQLITE_BUSY = 5
const SQLITE_CORRUPT = 11
const SQLITE_NOTADB = 26

/** An error of SQLite as one of a store; others as they are. */
export function storeError(error: unknown, path: string): unknown {
  if (!(error instanceof Error) || !("errcode" in error) || typeof error.errcode !== "number") return error
  const code = error.errcode & 0xff
  if (code === SQLITE_BUSY) return new StoreLocked(path)
  if (code === SQLITE_CORRUPT || code === SQLITE_NOTADB)
    return new StoreCorrupt("the file", `SQLite says: ${error.message}`)
  return new StoreUnavailable(`SQLite says: ${error.message}`, { cause: error })
}

/** `node:sqlite` as a ledger's SQL: Node, Deno and Bun. */
class SqlitePort implements SqlPort {
  readonly #database: DatabaseSync
  readonly #statements = new Map<string, ReturnType<DatabaseSync["prepare"]>>()

  constructor(database: DatabaseSync) {
    this.#database = database
  }

  #prepare(statement: string) {
    let prepared = this.#statements.get(statement)
    if (prepared === undefined) {
      prepared = this.#database.prepare(statement)
      this.#statements.set(statement, prepared)
    }
    return prepared
  }

  run(statement: string, ...values: SqlValue[]): void {
    this.#prepare(statement).run(...values)
  }

  rows(statement: string, ...values: SqlValue[]): Iterable<LogRow> {
    return this.#prepare(statement).all(...values) as unknown as LogRow[]
  }

  transaction<T>(work: () => T): T {
    this.#database.exec("BEGIN IMMEDIATE")
    try {
      const result = work()
      this.#database.exec("COMMIT")
      return result
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec("ROLLBACK")
      throw error
    }
  }
}

/** The platform of a ledger over an open database. */
export function sqliteLedgerPort(database: DatabaseSync): LedgerPort {
  return {
    sql: new SqlitePort(database),
    sha256: (bytes) => hash("sha256", bytes, "buffer"),
    defer: (work) => setImmediate(work),
    after: (ms, work) => setTimeout(work, ms),
  }
}
