import { closeSync, mkdirSync, openSync } from "node:fs"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import type { LedgerPort } from "../ledger/sql-port.js"
import { sqliteLedgerPort, storeError } from "../ledger/sqlite-port.node.js"
import { SluiceError, StoreUnavailable } from "../types/errors.js"
import { Witness } from "./witness.node.js"

/** The files of a folder. SQLite adds `-wal` to the first while it is open. */
export const LOG_FILE = "sluice.db"
export const WITNESS_FILE = "sluice.end"

const FOLDER_MODE = 0o700
const FILE_MODE = 0o600
const FAULTS_MAX = 10

/**
 * The folder of a store, locked for this process: by SQLite's own lock on the file, which the system takes back when
 * the process ends, however it ends.
 */
export class StoreFolder {
  readonly path: string
  readonly #database: DatabaseSync
  readonly port: LedgerPort
  readonly witness: Witness

  private constructor(path: string, database: DatabaseSync) {
    this.path = path
    this.#database = database
    this.port = sqliteLedgerPort(database)
    this.witness = new Witness(join(path, WITNESS_FILE))
  }

  /**
   * Locks the folder, making it where there is none.
   *
   * @throws {StoreLocked} at once where another holds it; {StoreCorrupt} where its file is none of SQLite;
   * {StoreUnavailable}
   */
  static open(path: string): StoreFolder {
    let database: DatabaseSync | null = null
    try {
      mkdirSync(path, { recursive: true, mode: FOLDER_MODE })
      const file = join(path, LOG_FILE)
      createPrivate(file)
      database = new DatabaseSync(file, { timeout: 0 })
      // Before the first access: the write-ahead log then needs no shared memory, and the lock is taken with it.
      database.exec("PRAGMA locking_mode = EXCLUSIVE")
      database.exec("PRAGMA journal_mode = WAL")
      database.exec("PRAGMA synchronous = FULL")
      // A folder that nobody wrote to yet is not locked by reading it.
      database.exec("BEGIN EXCLUSIVE")
      database.exec("COMMIT")
      return new StoreFolder(path, database)
    } catch (error) {
      database?.close()
      throw folderError(error, path)
    }
  }

  /** What SQLite finds wrong with its file. */
  findFaults(): string[] {
    try {
      const rows = this.#database.prepare(`PRAGMA integrity_check(${FAULTS_MAX})`).all()
      return rows.map((row) => String(Object.values(row)[0])).filter((fault) => fault !== "ok")
    } catch (error) {
      return [error instanceof Error ? error.message : String(error)]
    }
  }

  /** Lets the folder go. */
  close(): void {
    try {
      this.witness.close()
    } finally {
      if (this.#database.isOpen) this.#database.close()
    }
  }
}

/** Creates a file that only its owner may read. One that is there is not opened: closing it would end SQLite's locks. */
export function createPrivate(file: string): void {
  try {
    closeSync(openSync(file, "wx", FILE_MODE))
  } catch (error) {
    if ((error as { code?: unknown }).code !== "EEXIST") throw error
  }
}

/** What goes wrong with a folder, as an error of a store. */
export function folderError(error: unknown, path: string): unknown {
  if (error instanceof SluiceError) return error
  const told = storeError(error, path)
  // What the file system says has a code; what is a mistake of ours has none.
  if (told !== error || !(error instanceof Error) || !("code" in error)) return told
  return new StoreUnavailable(`${error.message.replace(/\.$/, "")}`, { cause: error })
}
