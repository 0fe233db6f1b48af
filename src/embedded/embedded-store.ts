import type { Ledger } from "../ledger/ledger.js"
import type { SyncMode } from "../ledger/sync-mode.js"
import type { SluiceError } from "../types/errors.js"

/** What an embedded limiter needs of the folder that it lies in. */
export interface EmbeddedStore {
  /** The folder. */
  readonly path: string
  readonly sync: SyncMode
  /** When the last commit was made since the store was opened, ms since the epoch; `null` where there was none. */
  readonly lastCommitAtMs: number | null
  /** Opens the ledger, anew where a commit had failed. */
  openLedger(): Promise<Ledger>
  /**
   * Hears when the store cannot be written or opened anew, and how many records that were told may be lost with it.
   * What it heard of before, it is not told again.
   */
  readonly onFailure?: (error: SluiceError, lostRecords: number) => void
  /** What SQLite finds wrong with its file, or that this is gone: at most a few sentences, none where it is right. */
  findFileProblems(): readonly string[]
  /** Makes a commit that changes nothing. @throws {StoreUnavailable} where the store cannot be written */
  tryCommit(): void
  /** What is wrong with the folder and the files in it, each in a sentence; none where all is right. */
  findProblems(): readonly string[]
  /**
   * Lets the folder go. Nothing may be asked afterwards.
   *
   * @throws {StoreUnavailable} where its files were not there any more; then it is let go too
   */
  close(): Promise<void>
}

/** What `doctor()` tells. */
export interface DoctorReport {
  /** Whether nothing is wrong. */
  readonly ok: boolean
  /** What is wrong, in words; empty where nothing is. */
  readonly problems: readonly string[]
  readonly path: string
  readonly sync: SyncMode
  /** The storage format that is written. */
  readonly format: number
  /** Rows of the log, and their bytes. */
  readonly rows: number
  readonly bytes: number
  /** Records in the segments that the log still has. */
  readonly records: number
  /** The open segment. */
  readonly sequence: number
  /** The last segment that the snapshot covers; 0 where there is no snapshot. */
  readonly coveredSequence: number
  /** Whether replaying the log gives the live state, bit for bit. */
  readonly replayEqualsLive: boolean
  /** Whether SQLite finds its file right, and that lies where it was opened. */
  readonly fileIsSound: boolean
  /** When the last commit was made since the store was opened, ms since the epoch; `null` where there was none. */
  readonly lastCommitAtMs: number | null
  readonly limits: number
  /** Keys that are held, idle ones that were not swept yet included. */
  readonly keys: number
}
