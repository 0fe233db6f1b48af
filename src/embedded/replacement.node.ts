import { existsSync, renameSync, rmSync } from "node:fs"
import { join } from "node:path"
import { platform } from "node:process"
import { DatabaseSync } from "node:sqlite"
import { Ledger } from "../ledger/ledger.js"
import { KEEPS_ALL } from "../ledger/ledger-options.js"
import type { LogEnd } from "../ledger/log-end.js"
import { LogTable } from "../ledger/log-table.js"
import type { LedgerPort, LogRow } from "../ledger/sql-port.js"
import { sqliteLedgerPort } from "../ledger/sqlite-port.node.js"
import { StoreCorrupt, StoreLocked } from "../types/errors.js"
import { closeDatabase } from "./close-database.node.js"
import { fileIdentity } from "./open-files.node.js"
import { syncFolder } from "./set-aside.node.js"
import { createPrivate, JOURNAL_FILE, LOG_FILE, REPAIRED_FILE, WAL_FILE, WITNESS_FILE } from "./store-files.node.js"
import { folderError } from "./store-folder.node.js"
import { Witness } from "./witness.node.js"

/**
 * A new log that takes the place of the one in a folder. It is locked from its first byte until it is closed, also
 * under its later name; while it lies there under its own, nobody opens the store.
 */
export class Replacement {
  readonly #path: string
  readonly #database: DatabaseSync
  readonly #identity: string | null
  /** How far it reaches; `null` where it has no log. */
  readonly #end: LogEnd | null

  private constructor(path: string, database: DatabaseSync, end: LogEnd | null) {
    this.#path = path
    this.#database = database
    this.#end = end
    this.#identity = fileIdentity(join(path, REPAIRED_FILE))
  }

  /** Writes rows to a new log, and brings it to the disk. @throws {StoreLocked} where another replaces it now */
  static async write(path: string, rows: readonly LogRow[]): Promise<Replacement> {
    const file = join(path, REPAIRED_FILE)
    const database = openNew(path, file)
    const port = sqliteLedgerPort(database)
    try {
      if (rows.length > 0) {
        const table = new LogTable(port.sql)
        table.create()
        for (const { id, body } of rows) table.writeRow(id, body)
      }
      database.exec("COMMIT")
      const end = rows.length > 0 ? await noteLoss(port) : null
      // The lock is kept, as the mode says.
      syncFolder(path)
      return new Replacement(path, database, end)
    } catch (error) {
      removeLocked(file, database)
      throw error
    }
  }

  /**
   * Puts it in place of the old log, whose lock was let go: openers are refused as long as this lies beside it. What
   * belonged to the old log goes first, since SQLite would take it for the new one's.
   */
  putInPlace(): void {
    // Windows renames no open file.
    if (platform === "win32") closeDatabase(this.#database)
    for (const file of [WAL_FILE, JOURNAL_FILE, WITNESS_FILE]) rmSync(join(this.#path, file), { force: true })
    if (this.#end !== null) {
      const witness = new Witness(join(this.#path, WITNESS_FILE))
      witness.note(this.#end)
      witness.close()
    }
    syncFolder(this.#path)
    renameSync(join(this.#path, REPAIRED_FILE), join(this.#path, LOG_FILE))
    syncFolder(this.#path)
  }

  /** Whether it still lies where it was written. */
  get isThere(): boolean {
    return fileIdentity(join(this.#path, REPAIRED_FILE)) === this.#identity
  }

  /** Takes it away again. */
  discard(): void {
    if (this.isThere) removeLocked(join(this.#path, REPAIRED_FILE), this.#database)
  }

  close(): void {
    closeDatabase(this.#database)
  }
}

/**
 * Leaves a log as one that was not closed and may lack what was told: whoever opens it next gives no charge a number
 * that one of those that were lost may have had.
 *
 * @returns how far it reaches then
 */
async function noteLoss(port: LedgerPort): Promise<LogEnd | null> {
  let end: LogEnd | null = null
  const onCommit = (reached: LogEnd) => {
    end = reached
  }
  const ledger = await Ledger.open(port, { sync: "batch", ...KEEPS_ALL, onCommit })
  ledger.abandon()
  return end
}

/** A new file with a transaction that has begun. What an interrupted repair left there goes. */
function openNew(path: string, file: string): DatabaseSync {
  if (existsSync(file)) {
    // Whoever replaces the log now has it locked.
    try {
      removeLocked(file, lock(path, file))
    } catch (error) {
      if (!(error instanceof StoreCorrupt)) throw error
      // What is none of SQLite nobody can lock.
      rmSync(file, { force: true })
    }
  }
  createPrivate(file)
  return lock(path, file)
}

/** Removes a file before its lock is let go: who waits for the lock then finds another file at the path, or none. */
function removeLocked(file: string, database: DatabaseSync): void {
  if (platform === "win32") closeDatabase(database)
  rmSync(file, { force: true })
  closeDatabase(database)
}

function lock(path: string, file: string): DatabaseSync {
  const identity = fileIdentity(file)
  // SQLite would make one.
  if (identity === null) throw new StoreLocked(path)
  let database: DatabaseSync | null = null
  try {
    database = new DatabaseSync(file, { timeout: 0 })
    database.exec("PRAGMA locking_mode = EXCLUSIVE")
    // Nothing is ever taken back in this file: it is begun anew.
    database.exec("PRAGMA journal_mode = MEMORY")
    database.exec("PRAGMA synchronous = FULL")
    database.exec("BEGIN EXCLUSIVE")
    if (fileIdentity(file) !== identity) throw new StoreLocked(path)
    return database
  } catch (error) {
    database?.close()
    throw folderError(error, path)
  }
}
