import fs from "node:fs"
import { dirname } from "node:path"
import { performance } from "node:perf_hooks"
import type { DatabaseSync } from "node:sqlite"
import { StoreUnavailable } from "../types/errors.js"

/** What no store fills within the time between two looks: below it each commit is preceded by one. */
const PLENTY_BYTES = 64 * 2 ** 20
const LOOK_EVERY_MS = 1_000
/** Below it the log of a ledger is to be kept short. */
const SCARCE_BYTES = 16 * 2 ** 20
/** So many times the write-ahead log must fit into the room that is free, or it is emptied first. */
const FREE_TO_WAL = 4

/** The most that a commit of some hundred checks takes. */
const BUSY_COMMIT_BYTES = 64 * 2 ** 10
/** What a failed commit lacked is at least one more page, with its head. */
const PAGE_BYTES = 4_096 + 24

/** Tells the room that is free to this user on the disk of a folder, in bytes. */
export type FreeBytes = (folder: string) => number

/**
 * Keeps the room on the disk that copying the write-ahead log into the file takes. SQLite lets that log grow to 4 MB, and
 * copies it only after a commit that succeeded: a log that filled the disk would leave neither room for a commit nor for
 * the file to grow, and the store could not be written any more, however little it holds.
 *
 * Where the room is scarce, the log is emptied before it takes more than its share of it, and what a failed commit left at
 * its end is cut off. What quotas of users and of processes allow, no disk tells: there the log is emptied once a commit
 * has failed. That helps where each file is limited by itself. Of a quota for all files together it leaves nothing to copy
 * the log with: the store cannot be written until the quota is raised.
 */
export class WalRoom {
  readonly #database: DatabaseSync
  readonly #path: string
  readonly #freeBytes: FreeBytes
  #free = Number.POSITIVE_INFINITY
  #lookedAtMs = Number.NEGATIVE_INFINITY
  /** What the last commit that failed for want of room took at least; 0 where one succeeded since. */
  #lackedBytes = 0

  /** @param path of the write-ahead log */
  constructor(database: DatabaseSync, path: string, freeBytes: FreeBytes = freeBytesOf) {
    this.#database = database
    this.#path = path
    this.#freeBytes = freeBytes
  }

  /** Whether the room was scarce when it was looked at last. */
  get isScarce(): boolean {
    return this.#free < SCARCE_BYTES
  }

  /** Runs `write`, which commits, after the room for it is made. */
  commit<T>(write: () => T): T {
    const result = this.#commit(write)
    this.#lackedBytes = 0
    return result
  }

  #commit<T>(write: () => T): T {
    if (this.#free >= PLENTY_BYTES && performance.now() - this.#lookedAtMs < LOOK_EVERY_MS) return write()
    this.#makeRoom()
    if (this.#free >= PLENTY_BYTES) return write()
    const bytes = this.#walBytes()
    try {
      return write()
    } catch (error) {
      this.#lackedBytes = Math.max(0, this.#walBytes() - bytes) + PAGE_BYTES
      this.#cutTo(bytes)
      throw error
    }
  }

  #makeRoom(): void {
    this.#free = this.#freeBytes(dirname(this.#path))
    this.#lookedAtMs = performance.now()
    if (this.#free < PLENTY_BYTES && this.#walBytes() * FREE_TO_WAL > this.#free) this.empty()
  }

  /**
   * Writes behind the pages of the write-ahead log as much as a busy commit takes, or as the last one that failed took, and
   * cuts it off again. SQLite is not told: of a transaction that is rolled back it writes nothing, and of one that changes
   * little a page, which may fit where a check does not. Where the log cannot be opened by its path, nothing is tried: who
   * gave up privileges since has it open still.
   *
   * @throws {StoreUnavailable} where there is no room for that
   */
  require(): void {
    this.#makeRoom()
    const file = this.#openFile()
    if (file === null) return
    const bytes = Math.max(BUSY_COMMIT_BYTES, this.#lackedBytes)
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
      return fs.openSync(this.#path, "r+")
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
  }

  #walBytes(): number {
    return fs.statSync(this.#path, { throwIfNoEntry: false })?.size ?? 0
  }

  /** Of a commit that failed, pages may lie behind those that count, in the room that these will need in the file. */
  #cutTo(bytes: number): void {
    try {
      if (this.#walBytes() > bytes) fs.truncateSync(this.#path, bytes)
    } catch {
      // The commit tells what is wrong.
    }
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
