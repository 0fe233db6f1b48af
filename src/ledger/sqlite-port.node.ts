import { hash } from "node:crypto"
import type { DatabaseSync } from "node:sqlite"
// Named, not the global ones: those may be a test's fake timers, which a commit must not wait for.
import { setImmediate, setTimeout } from "node:timers"
import { StoreCorrupt, StoreLocked, StoreUnavailable } from "../types/errors.js"
import type { LedgerPort, LogRow, SqlPort, SqlValue } from "./sql-port.js"

/** What SQLite's result codes mean for a store; most carry in their higher bits more than a store needs to know. */
const SQLITE_BUSY = 5
const SQLITE_CORRUPT = 11
const SQLITE_NOTADB = 26
/** Told as an I/O error, but the disk did what it should: the file ends before a page that it must have. */
const SQLITE_IOERR_SHORT_READ = 522

/** The result code of an error of SQLite, which not every runtime tells beside the words; `null` for other errors. */
function resultCode(error: Error): number | null {
  if ("errcode" in error && typeof error.errcode === "number") {
    return error.errcode === SQLITE_IOERR_SHORT_READ ? error.errcode : error.errcode & 0xff
  }
  if (!("code" in error) || error.code !== "ERR_SQLITE_ERROR") return null
  if (error.message.includes("database is locked")) return SQLITE_BUSY
  if (error.message.includes("file is not a database")) return SQLITE_NOTADB
  return error.message.includes("malformed") ? SQLITE_CORRUPT : 1
}

/** An error of SQLite as one of a store; others as they are. */
export function storeError(error: unknown, path: string): unknown {
  const code = error instanceof Error ? resultCode(error) : null
  if (code === null) return error
  const told = `SQLite says: ${(error as Error).message}`
  if (code === SQLITE_BUSY) return new StoreLocked(path)
  if (code === SQLITE_CORRUPT || code === SQLITE_NOTADB) return new StoreCorrupt("the file", told)
  if (code === SQLITE_IOERR_SHORT_READ) return new StoreCorrupt("the file", `it ends too early, and ${told}`)
  return new StoreUnavailable(told, { cause: error })
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
      this.#rollBack()
      throw error
    }
  }

  /**
   * Node tells whether there is a transaction still, but only from 22.16: SQLite itself ends it where a disk is full.
   */
  #rollBack(): void {
    try {
      this.#database.exec("ROLLBACK")
    } catch {
      // What is to be heard of is why the work failed.
    }
  }
}

/**
 * The commit that brings the write-ahead log to so many pages copies them into the file. Small rows write the same few
 * pages again and again, so that costs little and seldom is best; large ones all write others.
 */
const PAGES = { small: 1_000, large: 256 } as const

/** The platform of a ledger over an open database. */
export function sqliteLedgerPort(database: DatabaseSync): LedgerPort {
  return {
    sql: new SqlitePort(database),
    sha256: (bytes) => hash("sha256", bytes, "buffer"),
    sha256Now: (bytes) => hash("sha256", bytes, "buffer"),
    defer: (work) => setImmediate(work),
    after: (ms, work, { unref = false } = {}) => {
      const timer = setTimeout(work, ms)
      if (unref) timer.unref()
    },
    // SQLite would tell its pages as it has them in memory, whatever became of the files since.
    readAnew: () => database.exec("PRAGMA shrink_memory"),
    beginsLargeWrites: () => database.exec(`PRAGMA wal_autocheckpoint = ${PAGES.large}`),
    endsLargeWrites: () => database.exec(`PRAGMA wal_autocheckpoint = ${PAGES.small}`),
  }
}
