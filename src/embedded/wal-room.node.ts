import fs from "node:fs"
import { dirname } from "node:path"
import { performance } from "node:perf_hooks"
import type { DatabaseSync, StatementSync } from "node:sqlite"
import { StoreUnavailable } from "../types/errors.js"
import { FRAME_HEAD_BYTES, fileBytes, type WalFile } from "./wal-file.node.js"

/** What no store fills within the time between two looks: below it each commit is preceded by one. */
const PLENTY_BYTES = 64 * 2 ** 20
const LOOK_EVERY_MS = 1_000
/** Below it the log of a ledger is to be kept short. */
const SCARCE_BYTES = 16 * 2 ** 20
/** So many times the write-ahead log must fit into the room that is free, or it is emptied first. */
const FREE_TO_WAL = 4

/** The most that a commit of some hundred checks takes. */
const BUSY_COMMIT_BYTES = 64 * 2 ** 10
/** The most that a commit writes beside its rows: the table's inner pages, the list of free ones, the first page. */
const PAGES_OF_COMMIT = 8
/** Rows that are dropped one after the other leave pages that need not be written: of so many rows one is. */
const DROPS_OF_PAGE = 16
/** What the commits take that open a store: without them, one that filled its disk could not even be looked at. */
const PAGES_OF_OPENING = PAGES_OF_COMMIT + 2

/** Tells the room that is free to this user on the disk of a folder, in bytes. */
export type FreeBytes = (folder: string) => number

/**
 * Keeps the room on the disk that copying the write-ahead log into the file takes. SQLite lets that log grow to 4 MB,
 * and copies it only after a commit that succeeded: a log that filled the disk would leave neither room for a commit
 * nor for the file to grow, and the store could not be written any more, however little it holds.
 *
 * Where the room is scarce, the log is emptied before it takes more than its share of it; a commit after which the file
 * could not grow by all that the log has for it is refused before anything of it is written; and what a failed commit
 * left at the log's end is cut off. What quotas of users and of processes allow, no disk tells: there the log is
 * emptied once a commit has failed. That helps where each file is limited by itself. Of a quota for all files together
 * it leaves nothing to copy the log with: the store cannot be written until the quota is raised.
 */
export class WalRoom {
  readonly #database: DatabaseSync
  readonly #file: string
  readonly #wal: WalFile
  readonly #freeBytes: FreeBytes
  readonly #pageBytes: number
  readonly #pageCount: StatementSync
  readonly #freePages: StatementSync
  #free = Number.POSITIVE_INFINITY
  #lookedAtMs = Number.NEGATIVE_INFINITY
  /** What the last commit that failed for want of room took at least; 0 where one succeeded since. */
  #lackedBytes = 0
  #isOpening = false

  /**
   * @param file the path of the database
   * @param wal its write-ahead log
   */
  constructor(database: DatabaseSync, file: string, wal: WalFile, freeBytes: FreeBytes = freeBytesOf) {
    this.#database = database
    this.#file = file
    this.#wal = wal
    this.#freeBytes = freeBytes
    this.#pageBytes = Number(database.prepare("PRAGMA page_size").get()!["page_size"])
    this.#pageCount = database.prepare("PRAGMA page_count")
    this.#freePages = database.prepare("PRAGMA freelist_count")
  }

  /** Whether the room was scarce when it was looked at last. */
  get isScarce(): boolean {
    return this.#free < SCARCE_BYTES
  }

  /**
   * Makes room for a commit, where that is needed.
   *
   * @returns whether the commit is to be `bounded`
   */
  prepare(): boolean {
    if (this.#free >= PLENTY_BYTES && performance.now() - this.#lookedAtMs < LOOK_EVERY_MS) return false
    this.#makeRoom()
    return this.#free < PLENTY_BYTES
  }

  /** Notes that a commit succeeded. */
  noteCommit(): void {
    this.#lackedBytes = 0
    this.#wal.noteCommit()
  }

  /** Runs `write`, which commits, and cuts off what it leaves where it fails. */
  bounded<T>(write: () => T): T {
    const { bytes } = this.#wal
    try {
      return write()
    } catch (error) {
      // At least one more page would have come.
      this.#lackedBytes = Math.max(this.#lackedBytes, this.#wal.bytes - bytes + this.#frameBytes)
      this.#cutTo(bytes)
      throw error
    }
  }

  get #frameBytes(): number {
    return this.#pageBytes + FRAME_HEAD_BYTES
  }

  /**
   * Runs `work`, which opens a store: its commits may take the room that others leave for them. The log is emptied
   * before, as far as the disk lets it: a commit that failed may have filled it.
   */
  async opening<T>(work: () => Promise<T>): Promise<T> {
    this.empty()
    this.#isOpening = true
    try {
      return await work()
    } finally {
      this.#isOpening = false
    }
  }

  /** The most pages that a row makes a commit write; `null` bytes are of one that is dropped. */
  pagesOf(rowBytes: number | null): number {
    if (rowBytes === null) return 1 / DROPS_OF_PAGE
    // The one that it is found in, and those that it goes on in, each with the number of the next.
    return 1 + Math.ceil(rowBytes / (this.#pageBytes - 4))
  }

  /**
   * To be asked in the transaction under way, at its end, after `prepare`.
   *
   * @param pages of rows that it has written or dropped, at most
   * @throws {StoreUnavailable} where there is no room to write it, and to copy it and all before it into the file
   */
  requireFor(pages: number): void {
    const bytes = this.#bytesOf(pages)
    const lack = this.#findLack(bytes)
    if (lack === null) return
    this.#lackedBytes = bytes
    throw new StoreUnavailable(lack)
  }

  /**
   * What is missing on the disk for a row beside what else is committed meanwhile, in words; `null` where nothing is.
   * It looks at the disk.
   */
  findLackFor(rowBytes: number): string | null {
    this.#makeRoom()
    const pages = this.pagesOf(rowBytes)
    const free = Number(this.#freePages.get()!["freelist_count"])
    return this.#findLack(this.#bytesOf(pages), Math.max(0, pages - free) * this.#pageBytes + BUSY_COMMIT_BYTES)
  }

  #bytesOf(pages: number): number {
    return (PAGES_OF_COMMIT + Math.ceil(pages)) * this.#frameBytes
  }

  #findLack(bytes: number, besideBytes = 0): string | null {
    if (this.#free >= PLENTY_BYTES) return null
    const kept = this.#isOpening ? 0 : PAGES_OF_OPENING * this.#frameBytes
    const needed = bytes + this.#growth + besideBytes + kept
    if (needed <= this.#free) return null
    return `a commit of ${bytes} bytes needs ${needed} bytes of room on the disk, where ${this.#free} are free`
  }

  /** By so much the file must grow to take what the write-ahead log, and the transaction under way, have for it. */
  get #growth(): number {
    return Math.max(0, Number(this.#pageCount.get()!["page_count"]) * this.#pageBytes - this.#fileBytes)
  }

  /** 0 where the file cannot be looked at by its path: who gave up privileges since has it open still. */
  get #fileBytes(): number {
    try {
      return fileBytes(this.#file)
    } catch {
      return 0
    }
  }

  #makeRoom(): void {
    this.#look()
    if (this.#free >= PLENTY_BYTES || this.#wal.bytes * FREE_TO_WAL <= this.#free) return
    this.empty()
    this.#look()
  }

  #look(): void {
    this.#free = this.#freeBytes(dirname(this.#file))
    this.#lookedAtMs = performance.now()
  }

  /**
   * Writes behind the pages of the write-ahead log as much as a busy commit takes, or as the last one that failed took,
   * and cuts it off again. SQLite is not told: of a transaction that is rolled back it writes nothing, and of one that
   * changes little a page, which may fit where a check does not. Where the log cannot be opened by its path, nothing is
   * tried: who gave up privileges since has it open still.
   *
   * @throws {StoreUnavailable} where there is no room for that
   */
  require(): void {
    this.#makeRoom()
    const bytes = Math.max(BUSY_COMMIT_BYTES, this.#lackedBytes)
    const lack = this.#findLack(bytes)
    if (lack !== null) throw new StoreUnavailable(lack)
    const file = this.#openFile()
    if (file === null) return
    try {
      this.#requireOf(file, bytes)
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error)
      throw new StoreUnavailable(`a commit of ${bytes} bytes cannot be written: ${why}`, { cause: error })
    } finally {
      fs.closeSync(file)
    }
  }

  #openFile(): number | null {
    try {
      return fs.openSync(this.#wal.path, "r+")
    } catch {
      return null
    }
  }

  #requireOf(file: number, bytes: number): void {
    try {
      tryToGrow(file, bytes)
    } catch {
      // So it goes after a commit that failed: the store is opened anew.
      this.empty()
      tryToGrow(file, bytes)
    }
  }

  /** Copies the write-ahead log into the file, and empties it. Where that cannot be, the next commit tells why. */
  empty(): void {
    try {
      this.#database.exec("PRAGMA wal_checkpoint(TRUNCATE)")
    } catch {
      // What was copied is copied, and all of it is in the log still.
    }
    this.#wal.noteCut()
  }

  /** Of a commit that failed, pages may lie behind those that count, in the room that these will need in the file. */
  #cutTo(bytes: number): void {
    try {
      if (this.#wal.bytes > bytes) fs.truncateSync(this.#wal.path, bytes)
    } catch {
      // The commit tells what is wrong.
    }
    this.#wal.noteCut()
  }
}

/** Writes so many bytes at the end of a file, and cuts them off again. @throws where they cannot be written */
function tryToGrow(file: number, bytes: number): void {
  const { size } = fs.fstatSync(file)
  const zeros = new Uint8Array(bytes)
  try {
    // A disk that fills up takes a part first.
    for (let at = 0; at < bytes; ) at += fs.writeSync(file, zeros, at, bytes - at, size + at)
    // Some file systems look for room only now.
    fs.fdatasyncSync(file)
  } finally {
    fs.ftruncateSync(file, size)
  }
}

interface DenoPermissions {
  querySync(descriptor: { name: "sys"; kind: "statfs" }): { readonly state: string }
}

/** Whether Deno would ask its user before it tells about the disk: a store is not to wait for that. */
function wouldPrompt(): boolean {
  const { Deno } = globalThis as { readonly Deno?: { readonly permissions: DenoPermissions } }
  return Deno !== undefined && Deno.permissions.querySync({ name: "sys", kind: "statfs" }).state !== "granted"
}

/** A runtime or a system that does not tell is taken to have plenty. */
function freeBytesOf(folder: string): number {
  try {
    if (wouldPrompt()) return Number.POSITIVE_INFINITY
    const { bavail, blocks, bsize } = fs.statfsSync(folder)
    if (blocks > 0) return bavail * bsize
  } catch {
    // Nor does one that knows no such call.
  }
  return Number.POSITIVE_INFINITY
}
