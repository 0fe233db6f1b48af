import { copyFileSync, existsSync, mkdirSync, renameSync, rmSync } from "node:fs"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { Core } from "../engine/core.js"
import { requireEnd } from "../ledger/log-end.js"
import { LogTable } from "../ledger/log-table.js"
import { longestPrefix, type Prefix } from "../ledger/longest-prefix.js"
import { recover } from "../ledger/recovery.js"
import type { LogRow } from "../ledger/sql-port.js"
import { sqliteLedgerPort } from "../ledger/sqlite-port.node.js"
import { StoreCorrupt, StoreUnavailable } from "../types/errors.js"
import { createPrivate, folderError, LOG_FILE, StoreFolder, WITNESS_FILE } from "./store-folder.node.js"

/** What `repair` did. */
export interface RepairReport {
  readonly path: string
  /** Whether anything had to be done. */
  readonly isRepaired: boolean
  /** Where the files lie as they were; `null` where nothing had to be done. */
  readonly asidePath: string | null
  /** Records in the segments of the log that were kept. */
  readonly keptRecords: number
  /** What was given up, and why: empty where nothing had to be done. */
  readonly gaveUp: readonly string[]
}

const FILES = [LOG_FILE, `${LOG_FILE}-wal`, `${LOG_FILE}-journal`, WITNESS_FILE]
const NEW_FILE = `${LOG_FILE}.repaired`

/**
 * Makes a damaged store open again: keeps the longest beginning of its log that is what was written, puts the files as
 * they were aside, in a folder in it, and says what it gave up. A store that is right stays as it is.
 *
 * What is given up are charges, and limits that were defined: keys may be admitted what they had used.
 *
 * @param path the folder; nobody may have it open
 * @throws {StoreLocked} {StoreUnavailable}; {StoreVersion} where a newer version wrote it; then nothing has changed
 */
export async function repair(path: string): Promise<RepairReport> {
  if (!FILES.some((file) => existsSync(join(path, file)))) {
    throw new StoreUnavailable(`${JSON.stringify(path)} has no store`)
  }
  // Before SQLite opens them: it drops what it cannot use.
  const asidePath = setAside(path)
  try {
    const { prefix, lost } = await examine(path)
    const gaveUp = [...prefix.gaveUp.map(({ row, failure }) => `${row}: ${failure}`), ...lost]
    if (gaveUp.length === 0) {
      rmSync(asidePath, { recursive: true })
      return { path, isRepaired: false, asidePath: null, keptRecords: prefix.records, gaveUp }
    }
    await replace(path, prefix.rows)
    return { path, isRepaired: true, asidePath, keptRecords: prefix.records, gaveUp }
  } catch (error) {
    rmSync(asidePath, { recursive: true })
    throw folderError(error, path)
  }
}

function setAside(path: string): string {
  for (let number = 1; ; number++) {
    const aside = join(path, `aside-${number}`)
    if (existsSync(aside)) continue
    mkdirSync(aside, { mode: 0o700 })
    for (const file of FILES) if (existsSync(join(path, file))) copyFileSync(join(path, file), join(aside, file))
    return aside
  }
}

/** What can be kept, and what is lost beside rows. */
async function examine(path: string): Promise<{ readonly prefix: Prefix; readonly lost: readonly string[] }> {
  let folder: StoreFolder
  try {
    folder = StoreFolder.open(path)
  } catch (error) {
    if (!(error instanceof StoreCorrupt)) throw error
    return { prefix: { rows: [], records: 0, gaveUp: [] }, lost: [`${error.row}: ${error.failure}`] }
  }
  try {
    const lost = [...folder.findFaults()].map((fault) => `the file: ${fault}`)
    const rows = readRows(folder, lost)
    if (rows.length === 0) return { prefix: { rows, records: 0, gaveUp: [] }, lost }
    const prefix = await longestPrefix(folder.port, new Core(), rows)
    if (prefix.gaveUp.length > 0 || lost.length > 0) return { prefix, lost }
    const leastEnd = folder.witness.read()
    if (leastEnd === undefined) return { prefix, lost }
    // Everything that is there is right: what may be missing is its end.
    const { state, open, metaHash } = await recover(folder.port, new Core(), rows)
    state.free()
    try {
      requireEnd({ sequence: open.sequence, count: open.count, metaHash }, leastEnd)
    } catch (error) {
      if (!(error instanceof StoreCorrupt)) throw error
      lost.push(`${error.row}: ${error.failure}`)
    }
    return { prefix, lost }
  } finally {
    folder.close()
  }
}

/** Every row that can be read. */
function readRows({ port }: StoreFolder, lost: string[]): LogRow[] {
  try {
    const table = new LogTable(port.sql)
    if (!table.exists()) {
      lost.push("the log: it is missing")
      return []
    }
    return table.readEach((id, error) => {
      lost.push(`row ${id}: ${error instanceof Error ? error.message : String(error)}`)
    })
  } catch (error) {
    lost.push(`the file: ${error instanceof Error ? error.message : String(error)}`)
    return []
  }
}

/** Puts a new file with some rows in place of the store's. */
async function replace(path: string, rows: readonly LogRow[]): Promise<void> {
  const file = join(path, NEW_FILE)
  for (const old of [file, `${file}-wal`]) rmSync(old, { force: true })
  createPrivate(file)
  const database = new DatabaseSync(file)
  try {
    database.exec("PRAGMA synchronous = FULL")
    const table = new LogTable(sqliteLedgerPort(database).sql)
    if (rows.length > 0) {
      table.transaction(() => {
        table.create()
        for (const { id, body } of rows) table.writeRow(id, body)
      })
    }
  } finally {
    database.close()
  }
  for (const old of FILES) rmSync(join(path, old), { force: true })
  renameSync(file, join(path, LOG_FILE))
}
