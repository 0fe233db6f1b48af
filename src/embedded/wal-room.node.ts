import fs from "node:fs"
import { dirname } from "node:path"
import { performance } from "node:perf_hooks"
import type { DatabaseSync } from "node:sqlite"

/** What no store fills within the time between two looks: below it each commit is preceded by one. */
const PLENTY_BYTES = 64 * 2 ** 20
const LOOK_EVERY_MS = 1_000
/** Below it the log of a ledger is to be kept short. */
const SCARCE_BYTES = 16 * 2 ** 20
/** So many times the write-ahead log must fit into the room that is free, or it is emptied first. */
const FREE_TO_WAL = 4

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
    if (this.#free >= PLENTY_BYTES && performance.now() - this.#lookedAtMs < LOOK_EVERY_MS) return write()
    this.#free = this.#freeBytes(dirname(this.#path))
    this.#lookedAtMs = performance.now()
    if (this.#free >= PLENTY_BYTES) return write()
    if (this.#walBytes() * FREE_TO_WAL > this.#free) this.empty()
    const bytes = this.#walBytes()
    try {
      return write()
    } catch (error) {
      this.#cutTo(bytes)
      throw error
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
