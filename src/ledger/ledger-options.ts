import type { Core } from "../engine/core.js"
import type { SluiceError } from "../types/errors.js"
import type { CompactorOptions } from "./compactor.js"
import type { DurabilityOptions } from "./durability.js"
import type { StateOptions } from "./ledger-state.js"
import type { LogEnd } from "./log-end.js"

export interface LedgerOptions extends StateOptions, DurabilityOptions, CompactorOptions {
  /** The core that holds the state; one of its own if not given. Many small ledgers share one. */
  readonly core?: Core
  /** The time at which the ledger is opened, ms since the epoch; that of the last record if not given. */
  readonly openedAtMs?: number
  /** The log is compacted by itself when its segments that no snapshot covers have this many bytes. */
  readonly compactBytes?: number
  /** How far the log is known to reach: one that ends before is refused. */
  readonly leastEnd?: LogEnd
  /**
   * Hears how far the log reaches, after each commit and before who waits for it is told. What it throws is dropped,
   * save where the log is made: then it is not opened.
   */
  readonly onCommit?: (end: LogEnd) => void
  /**
   * Hears once why nothing may be asked any more, where what was appended could not be written: and of how many records
   * that were told under `batch` it may be true that they are lost. What it throws is dropped.
   */
  readonly onFailure?: (error: SluiceError, lostRecords: number) => void
}
