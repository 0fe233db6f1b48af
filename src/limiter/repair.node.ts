import { existsSync, statSync } from "node:fs"
import { join } from "node:path"
import { Core } from "../engine/core.js"
import { requireEnd } from "../ledger/log-end.js"
import { LogTable } from "../ledger/log-table.js"
import { longestPrefix, type Prefix } from "../ledger/longest-prefix.js"
import { recover } from "../ledger/recovery.js"
import type { LogRow } from "../ledger/sql-port.js"
import { StoreCorrupt, StoreLocked, StoreUnavailable } from "../types/errors.js"
import { claimFolder } from "./open-folders.node.js"
import { Replacement } from "./replacement.node.js"
import { readBeside, SetAside } from "./set-aside.node.js"
import {
  fileIdentity,
  folderError,
  JOURNAL_FILE,
  LOG_FILE,
  REPAIRED_FILE,
  StoreFolder,
  WAL_FILE,
  WITNESS_FILE,
} from "./store-folder.node.js"

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

const FILES = [LOG_FILE, WAL_FILE, JOURNAL_FILE, WITNESS_FILE, REPAIRED_FILE]

/**
 * Makes a damaged store open again: keeps the longest beginning of its log that is what was written, puts the files as
 * they were aside, in a folder in it, and says what it gave up. A store that is right stays as it is. Where it is
 * interrupted, the store stays as it was, or is refused until it is repaired again; the files aside stay.
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
  let release = () => {}
  try {
    release = claimFolder(path)
    return await repairClaimed(path)
  } catch (error) {
    throw folderError(error, path)
  } finally {
    release()
  }
}

async function repairClaimed(path: string): Promise<RepairReport> {
  const log = join(path, LOG_FILE)
  const bytesBefore = statSync(log, { throwIfNoEntry: false })?.size ?? null
  const wasInterrupted = existsSync(join(path, REPAIRED_FILE))
  const beside = readBeside(path)
  const { folder, lost } = lockFolder(path)
  let aside: SetAside | null = null
  let isReplacing = false
  try {
    const identity = fileIdentity(log)
    aside = new SetAside(path, beside, bytesBefore)
    if (bytesBefore === null) lost.push("the file: it is missing")
    if (wasInterrupted) lost.push(`${REPAIRED_FILE}: a repair was interrupted; it is put aside`)
    const prefix = folder === null ? NOTHING : await examine(folder, lost)
    const gaveUp = [...prefix.gaveUp.map(({ row, failure }) => `${row}: ${failure}`), ...lost]
    if (gaveUp.length === 0) {
      aside.remove()
      return { path, isRepaired: false, asidePath: null, keptRecords: prefix.records, gaveUp }
    }
    const replacement = Replacement.write(path, prefix.rows)
    try {
      // A file that is none of SQLite has no lock: another repair may have replaced it.
      if (fileIdentity(log) !== identity) {
        replacement.discard()
        throw new StoreLocked(path)
      }
      isReplacing = true
      folder?.close()
      aside.close()
      replacement.putInPlace()
    } finally {
      replacement.close()
    }
    return { path, isRepaired: true, asidePath: aside.path, keptRecords: prefix.records, gaveUp }
  } catch (error) {
    if (!isReplacing) aside?.remove()
    throw error
  } finally {
    folder?.close()
    aside?.close()
  }
}

const NOTHING: Prefix = { rows: [], records: 0, gaveUp: [] }

/** Locks a folder; where its file is none of SQLite, there is nothing to lock, and nothing to keep. */
function lockFolder(path: string): { readonly folder: StoreFolder | null; readonly lost: string[] } {
  try {
    return { folder: StoreFolder.lock(path, () => {}), lost: [] }
  } catch (error) {
    if (!(error instanceof StoreCorrupt)) throw error
    return { folder: null, lost: [`${error.row}: ${error.failure}`] }
  }
}

/** What can be kept; adds what is lost beside rows. */
async function examine(folder: StoreFolder, lost: string[]): Promise<Prefix> {
  lost.push(...folder.findFaults().map((fault) => `the file: ${fault}`))
  const rows = readRows(folder, lost)
  if (rows.length === 0) return NOTHING
  const prefix = await longestPrefix(folder.port, new Core(), rows)
  const leastEnd = folder.witness.read()
  if (prefix.gaveUp.length > 0 || lost.length > 0 || leastEnd === undefined) return prefix
  // Everything that is there is right: what may be missing is its end.
  const { state, open, metaHash } = await recover(folder.port, new Core(), rows)
  state.free()
  try {
    requireEnd({ sequence: open.sequence, count: open.count, metaHash }, leastEnd)
  } catch (error) {
    if (!(error instanceof StoreCorrupt)) throw error
    lost.push(`${error.row}: ${error.failure}`)
  }
  return prefix
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
