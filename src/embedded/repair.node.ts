import { existsSync, statSync } from "node:fs"
import { join } from "node:path"
import { checkKind } from "../policy/check-fields.js"
import { StoreCorrupt, StoreLocked, StoreUnavailable } from "../types/errors.js"
import { DamagedLog } from "./damaged-log.node.js"
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
  /** Records in the segments of the log that were kept. */
  readonly keptRecords: number
  /** Whether a snapshot was kept, which stands for all records before those. */
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
  /** Records in the segments of the log that would be kept; `null` where only the repair itself can tell. */
  readonly keptRecords: number | null
  /** Whether a snapshot would be kept, which stands for all records before those; `null` as for `keptRecords`. */
  readonly keptSnapshot: boolean | null
  /** What would be given up, and why: empty where nothing has to be done. */
  readonly givesUp: readonly string[]
  /** Whether nothing that keys had used would be given up, but history at most; `null` as for `keptRecords`. */
  readonly keptState: boolean | null
}

const INTERRUPTED = `${REPAIRED_FILE}: a repair was interrupted`

/**
 * Makes a damaged store open again: keeps the longest beginning of its log that is what was written, puts the files as
 * they were aside, in a folder in it, and says what it gave up. A store that is right stays as it is. Where it is
 * interrupted, the store stays as it was, or is refused until it is repaired again; the files aside stay.
 *
 * What is given up are charges, and limits that were defined: keys may be admitted what they had used. Where only history
 * is damaged, which a snapshot stands for, they may not: `keptState` tells.
 *
 * @param path the folder; nobody may have it open
 * @throws {StoreLocked} at once where a process has it open, this one or another; {StoreUnavailable}; {StoreVersion}
 * where a newer version wrote it; then nothing has changed, save where {StoreUnavailable} says that the log could not be
 * replaced: then the store is refused until it is repaired again; {RangeError} where `path` is no path
 */
export function repair(path: string): Promise<RepairReport> {
  return withClaimed(path, async () => {
    return (await finishInterrupted(path)) ?? (await repairClaimed(path))
  })
}

/**
 * Tells what `repair` would do, and changes no more than opening the store does.
 *
 * @throws {StoreLocked} {StoreUnavailable} {StoreVersion} {RangeError}, as `repair` does
 */
export function planRepair(path: string): Promise<RepairPlan> {
  return withClaimed(path, async () => {
    const wasInterrupted = existsSync(join(path, REPAIRED_FILE))
    if (wasInterrupted && !existsSync(join(path, LOG_FILE))) {
      return {
        path,
        isNeeded: true,
        keptRecords: null,
        keptSnapshot: null,
        keptState: null,
        givesUp: [`${INTERRUPTED}, which would be finished`],
      }
    }
    const log = DamagedLog.lock(path)
    try {
      const { records, hasSnapshot, gaveUp, keepsState } = await log.salvage()
      const givesUp = wasInterrupted ? [...gaveUp, `${INTERRUPTED}, and would be begun anew`] : gaveUp
      const kept = { keptRecords: records, keptSnapshot: hasSnapshot, keptState: keepsState }
      return { path, isNeeded: givesUp.length > 0, ...kept, givesUp }
    } finally {
      log.close()
    }
  })
}

async function withClaimed<T>(path: string, work: () => Promise<T>): Promise<T> {
  checkKind("repair a store", "path", path, STORE_PATH)
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
    const { rows, records, hasSnapshot, gaveUp: damages, keepsState } = await log.salvage()
    const kept = { keptRecords: records, keptSnapshot: hasSnapshot, keptState: keepsState }
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

/**
 * Goes on where a repair had taken the old log away, and not put its own in its place; `null` where none had, or its own
 * is none.
 */
async function finishInterrupted(path: string): Promise<RepairReport | null> {
  if (existsSync(join(path, LOG_FILE)) || !existsSync(join(path, REPAIRED_FILE))) return null
  const aside = new SetAside(path, readBeside(path), null)
  let isReplacing = false
  try {
    const replacement = Replacement.resume(path)
    try {
      isReplacing = true
      replacement.putInPlace()
    } finally {
      replacement.close()
    }
  } catch (error) {
    if (!isReplacing) aside.remove()
    if (error instanceof StoreCorrupt) return null
    throw error
  }
  // What it left may be damaged by now.
  const { asidePath, keptRecords, keptSnapshot, gaveUp } = await repairClaimed(path)
  const setAside = asidePath === null ? [] : [`what it left was damaged, and is in ${asidePath}`]
  return {
    path,
    isRepaired: true,
    asidePath: aside.path,
    keptRecords,
    keptSnapshot,
    gaveUp: [`${INTERRUPTED}, and was finished`, ...setAside, ...gaveUp],
    // What the repair gave up that was interrupted, nobody knows any more.
    keptState: false,
  }
}
