import { closeSync, fdatasync, openSync } from "node:fs"
import { performance } from "node:perf_hooks"
import type { DatabaseSync } from "node:sqlite"
import type { WriteOptions } from "../ledger/sql-port.js"

/** After so many commits one is synced beside the thread, to see what the thread does meanwhile. */
const TRY_EVERY = 64
/** So much of the time the event loop must have been busy for the next commit to be synced so too. */
const BUSY_SHARE = 0.5
/** A commit that took longer, ms, was of a disk so slow that waking another thread does not matter. */
const SLOW_MS = 3

/** Begins to watch the event loop. Called again, it tells which share of the time since the loop was busy, 0 … 1. */
export type WatchLoop = () => () => number

/**
 * Makes commits durable beside the thread of the event loop, where the loop has other work meanwhile. SQLite syncs in
 * the thread, and all that it serves then stands still: half of the time, where the disk takes as long as the work.
 *
 * What nobody waits for is always synced so: a disk that stalls then holds nobody up. Else it depends on whether the
 * loop has other work, which is seen by trying: one commit of 65 is synced so, and the next ones too, as long as the
 * loop was busy. Where everybody waits for the commit, waking another thread would cost more than it brings, unless the
 * disk is slow: after a slow commit the next ones are synced beside the thread too, until one is not slow.
 *
 * Only the write-ahead log is synced, as SQLite does it: it checkpoints in the thread. Its first commit, which makes
 * the log's file last in its folder, is synced by SQLite.
 */
export class WalSync {
  readonly #database: DatabaseSync
  readonly #path: string
  readonly #watchLoop: WatchLoop
  readonly #now: () => number
  #file: number | null = null
  #isFirst = true
  #left = TRY_EVERY
  #underWay = 0
  #isClosed = false

  /**
   * @param path of the write-ahead log of a database that syncs every commit
   * @param now a clock that does not jump, ms
   */
  constructor(database: DatabaseSync, path: string, watchLoop: WatchLoop = watchEventLoop, now = monotonicMs) {
    this.#database = database
    this.#path = path
    this.#watchLoop = watchLoop
    this.#now = now
  }

  /** As `LedgerPort.durably`. */
  durably(write: () => void, { isAwaited }: WriteOptions): Promise<void> | undefined {
    const file = this.#isFirst || (isAwaited && this.#left > 0) ? null : this.#openFile()
    this.#isFirst = false
    if (file === null) {
      const begunMs = this.#now()
      write()
      const isSlow = this.#now() - begunMs > SLOW_MS
      this.#left = isSlow ? 0 : this.#left > 0 ? this.#left - 1 : TRY_EVERY
      return undefined
    }
    this.#database.exec("PRAGMA synchronous = NORMAL")
    try {
      write()
    } finally {
      this.#database.exec("PRAGMA synchronous = FULL")
    }
    return this.#sync(file, { isAwaited })
  }

  /**
   * Another name for the file that SQLite has open, which takes no lock on it that closing this one would end; `null`
   * where none can be had, as when the process is out of descriptors.
   */
  #openFile(): number | null {
    try {
      this.#file ??= openSync(this.#path, "r+")
    } catch {
      return null
    }
    return this.#file
  }

  #sync(file: number, { isAwaited }: WriteOptions): Promise<void> {
    const busyShare = this.#watchLoop()
    const begunMs = this.#now()
    this.#underWay += 1
    return new Promise((resolve, reject) => {
      fdatasync(file, (error) => {
        this.#underWay -= 1
        const isSlow = this.#now() - begunMs > SLOW_MS
        if (isAwaited) this.#left = isSlow || busyShare() >= BUSY_SHARE ? 0 : TRY_EVERY
        this.#closeFile()
        if (error === null) resolve()
        else reject(error)
      })
    })
  }

  /** Lets the file go, once nothing is under way. */
  close(): void {
    this.#isClosed = true
    this.#closeFile()
  }

  #closeFile(): void {
    if (!this.#isClosed || this.#underWay > 0 || this.#file === null) return
    closeSync(this.#file)
    this.#file = null
  }
}

function monotonicMs(): number {
  return performance.now()
}

/** Runtimes that do not tell are taken to be idle. */
function watchEventLoop(): () => number {
  const begun = performance.eventLoopUtilization?.()
  return () => (begun === undefined ? 0 : performance.eventLoopUtilization(begun).utilization)
}
