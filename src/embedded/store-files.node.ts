import { closeSync, lstatSync, openSync, readdirSync, rmSync, statSync } from "node:fs"
import { join } from "node:path"
import { StoreCorrupt, StoreUnavailable, show } from "../types/errors.js"

/** The files of a folder. SQLite adds `-wal` to the first while it is open. */
export const LOG_FILE = "sluice.db"
export const WAL_FILE = `${LOG_FILE}-wal`
export const JOURNAL_FILE = `${LOG_FILE}-journal`
export const WITNESS_FILE = "sluice.end"
/** What a repair puts in place of the first. Where it lies there, a repair has begun to replace, and has not ended. */
export const REPAIRED_FILE = `${LOG_FILE}.repaired`
/** Folders of files that a repair put aside begin so; a number follows. */
export const ASIDE = "aside-"

const ASIDE_PATTERN = new RegExp(`^${ASIDE}\\d+$`)
const BESIDE_LOG = [REPAIRED_FILE, WITNESS_FILE, WAL_FILE, JOURNAL_FILE]
const FILE_MODE = 0o600

/**
 * Whether a path is a folder that has a store, or what is left of one.
 *
 * @throws where it cannot be read; as `findLogLoss`
 */
export function holdsStore(path: string): boolean {
  return findLogLoss(path) !== null || (bytesOf(path) ?? 0) > 0
}

/**
 * Removes the files of a store that nobody has open, the log last: a folder without it, but with others, is refused.
 */
export function removeStore(path: string): void {
  for (const name of [...BESIDE_LOG, LOG_FILE]) rmSync(join(path, name), { force: true })
}

/** A folder where a store was is not taken for a new one. @throws {StoreCorrupt}; as `findLogLoss` */
export function requireLogFile(path: string): void {
  const loss = findLogLoss(path)
  if (loss !== null) throw new StoreCorrupt(LOG_FILE, `${loss}: put it back, or repair the store`)
}

/**
 * What became of the log of a store; `null` where it holds something, or there is no store. A process that ends while
 * it makes one leaves the log empty, alone or with SQLite's journal: everything else is made once the log holds
 * something.
 *
 * @throws {StoreUnavailable} where one of the files is a link
 */
export function findLogLoss(path: string): string | null {
  for (const name of [LOG_FILE, ...BESIDE_LOG]) requireNoLink(join(path, name))
  const remains = findRemains(path)
  // Looked for last: who makes a store now makes it first of all.
  const bytes = bytesOf(path)
  if (bytes === null) return remains.length > 0 ? `it is missing, and ${remains[0]} is there` : null
  const found = remains.find((name) => name !== JOURNAL_FILE)
  return bytes === 0 && found !== undefined ? `it is empty, and ${found} is there` : null
}

/** The length of the log; `null` where there is none. */
function bytesOf(path: string): number | null {
  return statSync(join(path, LOG_FILE), { throwIfNoEntry: false })?.size ?? null
}

/** What lies beside a log, as only a store has it. */
function findRemains(path: string): string[] {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory() !== true) return []
  return readdirSync(path).filter((name) => BESIDE_LOG.includes(name) || ASIDE_PATTERN.test(name))
}

/**
 * Creates a file that only its owner may read. One that is there is not opened: closing it would end SQLite's locks.
 */
export function createPrivate(file: string): void {
  try {
    closeSync(openSync(file, "wx", FILE_MODE))
  } catch (error) {
    if ((error as { code?: unknown }).code !== "EEXIST") throw error
    requireNoLink(file)
  }
}

/** Where a link leads lies a file of others, which would be written to. @throws {StoreUnavailable} */
function requireNoLink(file: string): void {
  if (lstatSync(file, { throwIfNoEntry: false })?.isSymbolicLink()) throw linkFound(file)
}

/** The error of a link in place of a file of the store. */
export function linkFound(file: string, options?: ErrorOptions): StoreUnavailable {
  return new StoreUnavailable(`the file ${show(file)} is a link, allowed is a file of the store's own`, options)
}
