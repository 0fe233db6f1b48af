import {
  closeSync,
  constants,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  writeSync,
} from "node:fs"
import { join } from "node:path"
import { platform } from "node:process"
import { ASIDE, JOURNAL_FILE, LOG_FILE, REPAIRED_FILE, WAL_FILE, WITNESS_FILE } from "./store-files.node.js"

const BESIDE = [WAL_FILE, JOURNAL_FILE, WITNESS_FILE, REPAIRED_FILE]
const COPY_BYTES = 1 << 20

/** The bytes of files by their names. */
type FileBytes = ReadonlyMap<string, Uint8Array>

/** What lies beside the log, which SQLite may drop when it opens the log. No lock is on these files. */
export function readBeside(path: string): FileBytes {
  const bytes = new Map<string, Uint8Array>()
  for (const file of BESIDE) {
    try {
      bytes.set(file, readFileSync(join(path, file)))
    } catch (error) {
      if ((error as { code?: unknown }).code !== "ENOENT") throw error
    }
  }
  return bytes
}

/** A copy of a store's files in a folder of its own in it. */
export class SetAside {
  readonly path: string
  readonly #folder: string
  /** The log as it was copied. Closing it would end the lock on it. */
  #log: number | null

  /**
   * Copies the files, and brings the copy to the disk.
   *
   * @param path the folder, which this process has locked where its log is one
   * @param before what lay beside the log before it was opened
   * @param bytesBefore the length of the log before it was opened; `null` where there was none
   */
  constructor(path: string, before: FileBytes, bytesBefore: number | null) {
    this.#folder = path
    this.path = makeFolder(path)
    this.#log = bytesBefore === null ? null : openSync(join(path, LOG_FILE), constants.O_RDONLY)
    try {
      if (this.#log !== null) copy(this.#log, join(this.path, LOG_FILE))
      const now = readBeside(path)
      for (const file of BESIDE) {
        // A write-ahead log that is gone was dropped by SQLite beside an empty log; else who had it open closed it.
        const mayBeDropped = file === WAL_FILE ? (bytesBefore ?? 0) === 0 : file === JOURNAL_FILE
        const isThere = (now.get(file)?.length ?? 0) > 0
        const bytes = (isThere || !mayBeDropped ? now : before).get(file)
        // An empty one that was not there before came with the lock.
        if (bytes !== undefined && (isThere || before.has(file))) write(join(this.path, file), bytes)
      }
      syncFolder(this.path)
      syncFolder(path)
    } catch (error) {
      this.remove()
      this.close()
      throw error
    }
  }

  /** Its path; where nothing was there to be put aside, it goes, and that is `null`. */
  keep(): string | null {
    if (readdirSync(this.path).length > 0) return this.path
    this.remove()
    return null
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true })
    syncFolder(this.#folder)
  }

  /** Lets the log go, and with it every lock of this process on it. */
  close(): void {
    const log = this.#log
    this.#log = null
    if (log !== null) closeSync(log)
  }
}

function makeFolder(path: string): string {
  for (let number = 1; ; number++) {
    const folder = join(path, `${ASIDE}${number}`)
    try {
      mkdirSync(folder, { mode: 0o700 })
      return folder
    } catch (error) {
      if ((error as { code?: unknown }).code !== "EEXIST") throw error
    }
  }
}

/** Copies what an open file has from its start on. */
function copy(from: number, to: string): void {
  const chunk = new Uint8Array(COPY_BYTES)
  writeSynced(to, (file) => {
    for (let at = 0, read = -1; read !== 0; at += read) {
      read = readSync(from, chunk, 0, chunk.length, at)
      writeAll(file, chunk.subarray(0, read))
    }
  })
}

function write(to: string, bytes: Uint8Array): void {
  writeSynced(to, (file) => writeAll(file, bytes))
}

function writeAll(file: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at)
}

function writeSynced(path: string, work: (file: number) => void): void {
  const file = openSync(path, "wx", 0o600)
  try {
    work(file)
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
}

/** Brings the names in a folder to the disk. */
export function syncFolder(path: string): void {
  // There a folder cannot be opened as a file.
  if (platform === "win32") return
  const folder = openSync(path, constants.O_RDONLY)
  try {
    fsyncSync(folder)
  } finally {
    closeSync(folder)
  }
}
