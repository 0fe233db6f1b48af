import { existsSync, statSync } from "node:fs"
import { join } from "node:path"
import { requireKind } from "../policy/require-fields.js"
import { StoreLocked, StoreUnavailable } from "../types/errors.js"
import { DamagedLog, type Salvage } from "./damaged-log.node.js"
import { fileIdentity } from "./open-files.node.js"
import { claimFolder } from "./open-folders.node.js"
import { Replacement } from "./replacement.node.js"
import { readBeside, SetAside } from "./set-aside.node.js"
import { holdsStore, LOG_FILE, REPAIRED_FILE } from "./store-files.node.js"
import { folderError, STORE_PATH } from "./store-folder.node.js"

/** What `repair` did. */
export interface RepairReport {
  readonly path: string
  /** Whether anything had to be done. */
  readonly isRepaired: boolean
  /** Where the files lie as they were; `null` where nothing had to be done, or none was there. */
  readonly asidePath: string | null
  /** Records in the segments of the log that were kept, those of history with them. */
  readonly keptRecords: number
  /** Those of them from before the snapshot, which stands for them: history that nothing depends on. */
  readonly keptHistoryRecords: number
  /** Whether a snapshot was kept, which stands for all records before it. */
  readonly keptSnapshot: boolean
  /** What was given up, and why: empty where nothing had to be done. */
  readonly gaveUp: readonly string[]
  /** Whether nothing that keys had used was given up, but history at most: else they may be admitted that again. */
  readonly keptState: boolean
}

/** What `repair` would do. */
export interface RepairPlan {
  readonly path: string
  /** Whether anything has to be done. */
  readonly isNeeded: boolean
  /** Records in the segments of the log that would be kept. */
  readonly keptRecords: number
  /** Those of them from before the snapshot, which stands for them. */
  readonly keptHistoryRecords: number
  /** Whether a snapshot would be kept, which stands for all records before it. */
  readonly keptSnapshot: boolean
  /** What would be given up, and why: empty where nothing has to be done. */
  readonly givesUp: readonly string[]
  /** Whether nothing that keys had used would be given up, but history at most. */
  readonly keptState: boolean
}

const INTERRUPTED = `${REPAIRED_FILE}: a repair was interrupted`

/**
 * Makes a damaged store open again: keeps the longest beginning of its log that is what was written, puts the files as
 * they were aside, in a folder in it, and says what it gave up. A store that is right stays as it is. Where it is
 * interrupted, the store stays as it was, or is refused until it is repaired again; the files aside stay.
 *
 * What is given up are charges, and limits that were defined: keys may be admitted what they had used. Where only
 * history is damaged, which a snapshot stands for, they may not: `keptState` tells.
 *
 * @param path the folder; nobody may have it open
 * @throws {StoreLocked} at once where a process has it open, this one or another; {StoreUnavailable}; {StoreVersion}
 * where a newer version wrote it; then nothing has changed, save where {StoreUnavailable} says that the log could not
 * be replaced: then the store is refused until it is repaired again; {RangeError} where `path` is no path
 */
export function repair(path: string): Promise<RepairReport> {
  return withClaimed(path, () => repairClaimed(path))
}

/**
 * Tells what `repair` would do, and changes no more than opening the store does.
 *
 * @throws {StoreLocked} {StoreUnavailable} {StoreVersion} {RangeError}, as `repair` does
 */
export function planRepair(path: string): Promise<RepairPlan> {
  return withClaimed(path, async () => {
    const wasInterrupted = existsSync(join(path, REPAIRED_FILE))
    const log = DamagedLog.lock(path)
    try {
      const { gaveUp, ...salvage } = await log.salvage()
      const givesUp = wasInterrupted ? [...gaveUp, `${INTERRUPTED}, and would be begun anew`] : gaveUp
      return { path, isNeeded: givesUp.length > 0, ...keptOf(salvage), givesUp }
    } finally {
      log.close()
    }
  })
}

function keptOf({ records, historyRecords, hasSnapshot, keepsState }: Omit<Salvage, "rows" | "gaveUp">) {
  return {
    keptRecords: records,
    keptHistoryRecords: historyRecords,
    keptSnapshot: hasSnapshot,
    keptState: keepsState,
  }
}

async function withClaimed<T>(path: string, work: () => Promise<T>): Promise<T> {
  requireKind("repair a store", "path", path, STORE_PATH)
  let release = () => {}
  try {
    if (!holdsStore(path)) throw new StoreUnavailable(`${JSON.stringify(path)} has no store`)
    release = claimFolder(path)
    return await work()
  } catch (error) {
    throw folderError(error, path)
  } finally {
    release()
  }
}

async function repairClaimed(path: string): Promise<RepairReport> {
  const file = join(path, LOG_FILE)
  const identity = fileIdentity(file)
  const bytesBefore = statSync(file, { throwIfNoEntry: false })?.size ?? null
  const beside = readBeside(path)
  const log = DamagedLog.lock(path)
  let aside: SetAside | null = null
  let isReplacing = false
  try {
    // What was read belongs to a log that another repair has replaced meanwhile.
    if (fileIdentity(file) !== identity) throw new StoreLocked(path)
    const wasInterrupted = existsSync(join(path, REPAIRED_FILE))
    aside = new SetAside(path, beside, bytesBefore)
    const { rows, gaveUp: damages, ...salvage } = await log.salvage()
    const kept = keptOf(salvage)
    const gaveUp = wasInterrupted ? [...damages, `${INTERRUPTED}, and was begun anew`] : damages
    if (gaveUp.length === 0) {
      aside.remove()
      return { path, isRepaired: false, asidePath: null, ...kept, gaveUp }
    }
    const replacement = await Replacement.write(path, rows)
    try {
      // A file that is none of SQLite has no lock, nor has one that is missing: both may be replaced until here.
      if (fileIdentity(file) !== identity || !replacement.isThere) {
        replacement.discard()
        throw new StoreLocked(path)
      }
      isReplacing = true
      log.close()
      aside.close()
      replacement.putInPlace()
    } finally {
      replacement.close()
    }
    return { path, isRepaired: true, asidePath: aside.keep(), ...kept, gaveUp }
  } catch (error) {
    if (!isReplacing) aside?.remove()
    throw error
  } finally {
    log.close()
    aside?.close()
  }
}
