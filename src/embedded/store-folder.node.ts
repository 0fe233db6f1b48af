import { accessSync, constants, existsSync, mkdirSync, realpathSync, statSync } from "node:fs"
import { dirname, join, resolve } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { clearTimeout, setTimeout } from "node:timers"
import { setTimeout as after } from "node:timers/promises"
import type { LogEnd } from "../ledger/log-end.js"
import { LogTable } from "../ledger/log-table.js"
import type { AfterOptions, LedgerPort } from "../ledger/sql-port.js"
import { sqliteLedgerPort, storeError } from "../ledger/sqlite-port.node.js"
import { required } from "../policy/require-fields.js"
import { SluiceError, StoreCorrupt, StoreLocked, StoreUnavailable, show } from "../types/errors.js"
import { BoundedSql } from "./bounded-sql.js"
import { closeDatabase } from "./close-database.node.js"
import { isLocked } from "./locked-file.node.js"
import { fileIdentity, OpenFiles } from "./open-files.node.js"
import { claimFolder } from "./open-folders.node.js"
import { findForeign, requireOwn } from "./own-database.node.js"
import { createPrivate, LOG_FILE, REPAIRED_FILE, requireLogFile, WAL_FILE, WITNESS_FILE } from "./store-files.node.js"
import { WalFile } from "./wal-file.node.js"
import { WalRoom } from "./wal-room.node.js"
import { WalSync } from "./wal-sync.node.js"
import { Witness } from "./witness.node.js"

/** What the path of a store may be. */
export const STORE_PATH = required({
  allowed: "the path of a folder",
  fits: (value) => typeof value === "string" && value !== "",
})

const FOLDER_MODE = 0o700
const MAX_FAULTS = 10
/** How often a lock that another holds is asked for again. */
const TRY_EVERY_MS = 20

/** Makes a folder, and those that it lies in. Node's own way of that never ends where a file system makes none. */
function makeFolder(path: string): void {
  if (isFolder(path)) return
  if (dirname(path) !== path) makeFolder(dirname(path))
  try {
    mkdirSync(path, FOLDER_MODE)
  } catch (error) {
    // Another process may have been faster.
    if (!isFolder(path)) throw error
  }
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true
}

/**
 * The folder of a store, locked for this process: by SQLite's own lock on the file, which the system takes back when
 * the process ends, however it ends.
 */
export class StoreFolder {
  readonly #database: DatabaseSync
  readonly #release: () => void
  /** What waits for its time. */
  readonly #timers = new Set<ReturnType<typeof setTimeout>>()
  readonly #wal: WalFile
  readonly #walSync: WalSync
  readonly #walRoom: WalRoom
  readonly port: LedgerPort
  readonly witness: Witness
  /** Those that SQLite has open. */
  readonly files: OpenFiles
  #lackedWitness = false
  /** Whether the log was opened before. */
  #wasOpened = false

  /** @param given the path of the folder, from where the process is now */
  private constructor(given: string, database: DatabaseSync, release: () => void) {
    // Wherever the process goes meanwhile: an absolute path, without links.
    const path = realpathSync.native(given)
    this.#database = database
    this.#release = release
    this.#wal = new WalFile(join(path, WAL_FILE))
    this.#walSync = new WalSync(database, this.#wal.path)
    this.#walRoom = new WalRoom(database, join(path, LOG_FILE), this.#wal)
    // Also at the path as it was given: a link in it may come to lead elsewhere.
    const folders = [...new Set([path, resolve(given)])]
    const files = folders.flatMap((folder) => [join(folder, LOG_FILE), join(folder, WAL_FILE)])
    this.files = new OpenFiles(files, this.#wal)
    const port = sqliteLedgerPort(database)
    this.port = {
      ...port,
      sql: new BoundedSql(port.sql, this.#walRoom),
      durably: (write, options) => {
        this.files.requireNowAndThen()
        return this.#walSync.durably(write, options)
      },
      lacksRoom: () => this.#walRoom.isScarce,
      findLackFor: (rowBytes) => this.#walRoom.findLackFor(rowBytes),
      storeError: (error) => storeError(error, path),
      after: (ms, work, options) => this.#after(ms, work, options),
    }
    this.witness = new Witness(join(path, WITNESS_FILE))
  }

  /**
   * Locks the folder, making it where there is none.
   *
   * @throws {StoreLocked} at once where another holds it; {StoreCorrupt} where its file is none of SQLite, or is
   * missing or empty, or was not replaced to the end, or has more in it than a log; {StoreUnavailable} also where
   * another program made the file
   */
  static open(path: string): StoreFolder {
    let release = () => {}
    try {
      makeFolder(path)
      release = claimFolder(path)
      requireLogFile(path)
      const folder = StoreFolder.lock(path, release)
      try {
        folder.#requireIntact(path)
      } catch (error) {
        folder.close()
        throw error
      }
      return folder
    } catch (error) {
      release()
      throw folderError(error, path)
    }
  }

  /**
   * `open`, which asks again for so long while another holds the lock. Who waits longer does not get it sooner.
   *
   * @throws {StoreLocked} where another holds it still at the end; as `open`, at once
   */
  static async openWithin(waitMs: number, path: string): Promise<StoreFolder> {
    const endMs = performance.now() + waitMs
    for (;;) {
      try {
        return StoreFolder.open(path)
      } catch (error) {
        const leftMs = endMs - performance.now()
        if (!(error instanceof StoreLocked) || leftMs <= 0) throw error
        await after(Math.min(TRY_EVERY_MS, leftMs))
      }
    }
  }

  /**
   * Locks a folder that this process has claimed, whatever lies in it, but for a database of another program.
   *
   * @param release ends the claim; called when the folder is closed
   */
  static lock(path: string, release: () => void): StoreFolder {
    let database: DatabaseSync | null = null
    try {
      const file = join(path, LOG_FILE)
      createPrivate(file)
      const identity = fileIdentity(file)
      database = new DatabaseSync(file, { timeout: 0 })
      // Before the first access: the write-ahead log then needs no shared memory, and the lock is taken with it.
      database.exec("PRAGMA locking_mode = EXCLUSIVE")
      // The mode of the journal is written into the file, which may be none of ours.
      database.exec("BEGIN EXCLUSIVE")
      requireOwn(database, path)
      database.exec("COMMIT")
      database.exec("PRAGMA journal_mode = WAL")
      database.exec("PRAGMA synchronous = FULL")
      // Some builds of SQLite cut the write-ahead log where it begins anew. Only who damages it is to make it shorter.
      database.exec("PRAGMA journal_size_limit = -1")
      // A folder that nobody wrote to yet is not locked by reading it.
      database.exec("BEGIN EXCLUSIVE")
      database.exec("COMMIT")
      // What was replaced meanwhile may be locked, and is not the store.
      if (fileIdentity(file) !== identity) throw new StoreLocked(path)
      return new StoreFolder(path, database, release)
    } catch (error) {
      database?.close()
      throw folderError(error, path)
    }
  }

  /**
   * Runs `work`, which opens the log: as much room on the disk as that takes is kept for it.
   *
   * @throws {StoreUnavailable} where it was open before, and the write-ahead log is not what SQLite wrote; else what
   * `work` throws
   */
  async openLog<T>(work: () => Promise<T>): Promise<T> {
    // Emptied, it would tell nothing any more.
    if (this.#wasOpened) this.#copyWal()
    this.#wasOpened = true
    return this.#walRoom.opening(work)
  }

  /**
   * Makes a commit that changes nothing, where there is room for one that does.
   *
   * @throws {StoreUnavailable} where the store cannot be written
   */
  tryCommit(): void {
    this.files.require()
    try {
      this.#walRoom.require()
      const table = new LogTable(this.port.sql)
      // A row that is gone again by then. For one that is put in its own place, SQLite writes no page.
      table.transaction(() => {
        table.writeRow(Number.MAX_SAFE_INTEGER, new Uint8Array(1))
        table.drop([Number.MAX_SAFE_INTEGER])
      })
    } catch (error) {
      throw this.port.storeError!(error)
    }
  }

  /**
   * How far the log is known to reach; `undefined` where nothing tells.
   *
   * @throws {StoreCorrupt} where there is a witness and no log; where the witness cannot be read, or written later
   */
  readWitness(): LogEnd | undefined {
    this.witness.open()
    const end = this.witness.read()
    if (end === undefined) {
      const hasLog = new LogTable(this.port.sql).exists()
      if (!hasLog && this.witness.exists) throw new StoreCorrupt("the log", "it is missing")
      // A log that is not begun has none.
      this.#lackedWitness ||= hasLog
    }
    return end
  }

  #requireIntact(path: string): void {
    // With the lock: who replaces the file has let it go by then, or holds it.
    const repaired = join(path, REPAIRED_FILE)
    if (existsSync(repaired)) {
      // A repair has the new log locked until it lies in place, and let the old one go before.
      if (isLocked(repaired) || !existsSync(repaired)) throw new StoreLocked(path)
      throw new StoreCorrupt(REPAIRED_FILE, "a repair of the store was interrupted, and must be run again")
    }
    const foreign = this.findForeign()
    if (foreign !== null) throw new StoreCorrupt(LOG_FILE, foreign)
  }

  /** What is in the file that sluice did not make. */
  findForeign(): string | null {
    const foreign = findForeign(this.#database)
    return foreign === null ? null : `it holds ${foreign}, which sluice did not make`
  }

  /** What is wrong with the files, beside what SQLite finds. */
  findProblems(): string[] {
    const lost = this.files.findLost()
    if (lost !== null) return [new StoreUnavailable(lost).message]
    const lacked = `${WITNESS_FILE} was missing or damaged when the store was opened: nothing told whether the log is whole.`
    const unkept = `${WITNESS_FILE} is not kept: it cannot be read or written, or was deleted or replaced.`
    return [...(this.#lackedWitness ? [lacked] : []), ...(this.witness.isKept ? [] : [unkept])]
  }

  /** What SQLite finds wrong with its file, which it reads anew. */
  findFaults(): string[] {
    try {
      this.port.readAnew?.()
      const rows = this.#database.prepare(`PRAGMA integrity_check(${MAX_FAULTS})`).all()
      // A row may hold several, a line each, under the name of the database.
      const lines = rows.flatMap((row) => String(Object.values(row)[0]).split("\n"))
      return lines.filter((fault) => fault !== "ok" && !fault.startsWith("***"))
    } catch (error) {
      return [error instanceof Error ? error.message : String(error)]
    }
  }

  /** What is wrong with the file, each in a sentence. SQLite would find one sound that nobody finds any more. */
  findFileProblems(): string[] {
    const lost = this.files.findLost()
    if (lost !== null) return [new StoreUnavailable(lost).message]
    return this.findFaults().map((fault) => `SQLite: ${fault.replace(/\.$/, "")}.`)
  }

  #after(ms: number, work: () => void, { unref = false }: AfterOptions = {}): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer)
      work()
    }, ms)
    if (unref) timer.unref()
    this.#timers.add(timer)
  }

  /** Lets the folder go, and keeps the process no longer. */
  close(): void {
    for (const timer of this.#timers) clearTimeout(timer)
    this.#walSync.close()
    this.#wal.close()
    try {
      this.witness.close()
    } finally {
      try {
        closeDatabase(this.#database)
      } finally {
        this.#release()
      }
    }
  }

  /**
   * `close` of what was written to, which on a slow disk takes as long as SQLite needs: the witness reaches it at the
   * same time.
   *
   * @throws {StoreUnavailable} where the write-ahead log is not what SQLite wrote; then it is let go too
   */
  async closeTogether(): Promise<void> {
    const syncing = this.witness.closeBeside()
    try {
      this.#copyWal()
    } finally {
      try {
        this.close()
      } finally {
        await syncing
      }
    }
  }

  /**
   * Copies the write-ahead log into the file, as closing does, which never looks whether it is what was written.
   *
   * @throws {StoreUnavailable} where it is not
   */
  #copyWal(): void {
    const whole = this.#wal.countFrames()
    let written = 0
    try {
      written = Number(this.#database.prepare("PRAGMA wal_checkpoint(PASSIVE)").get()!["log"])
    } catch (error) {
      // Where it cannot be copied, it stays, and is copied once the store is opened anew.
      if (this.port.storeError!(error) instanceof StoreCorrupt) {
        throw new StoreUnavailable(this.#wal.noteDamage(), { cause: error })
      }
    }
    if (whole !== null && whole < written) throw new StoreUnavailable(this.#wal.noteDamage())
  }
}

/** The first file of the store that cannot be written, and why; `null` where all can be. No file is opened. */
function unwritable(path: string): string | null {
  for (const name of ["", LOG_FILE, WAL_FILE, WITNESS_FILE]) {
    try {
      accessSync(join(path, name), constants.W_OK)
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException
      if (code === "ENOENT") continue
      const what = name === "" ? `the folder ${show(path)}` : `the file ${show(join(path, name))}`
      return `${what} cannot be written (${message.split(",")[0]})`
    }
  }
  return null
}

/** What goes wrong with a folder, as an error of a store. */
export function folderError(error: unknown, path: string): unknown {
  if (error instanceof SluiceError) return error
  const told = storeError(error, path)
  // What the file system says has a code; what is a mistake of ours has none.
  const isOfFiles = told === error && error instanceof Error && "code" in error
  if (!isOfFiles && !(told instanceof StoreUnavailable)) return told
  // SQLite calls it a disk I/O error.
  const why = unwritable(path) ?? (isOfFiles ? error.message.replace(/\.$/, "") : null)
  return why === null ? told : new StoreUnavailable(why, { cause: error })
}
