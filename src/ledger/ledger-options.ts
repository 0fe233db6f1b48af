import type { Core } from "../engine/core.js"
import type { CompactorOptions } from "./compactor.js"
import type { DurabilityOptions } from "./durability.js"
import type { StateOptions } from "./ledger-state.js"
import type { LogEnd } from "./log-end.js"
import type { FailureOptions } from "./log-failure.js"

export interface LedgerOptions extends StateOptions, DurabilityOptions, CompactorOptions, FailureOptions {
  /** The core that holds the state; one of its own if not given. Many small ledgers share one. */
  readonly core?: Core
  /** The time at which the ledger is opened, ms since the epoch; that of the last record if not given. */
  readonly openedAtMs?: number
  /** The log is compacted by itself when its segments that no snapshot covers have this many bytes. */
  readonly compactBytes?: number
  /** How far the log is known to reach: one that ends before is refused. */
  readonly leastEnd?: LogEnd
  /**
   * Called with how far the log reaches, after each commit and before those who wait for it are answered. What it
   * throws is ignored, except where the log is new: then it is not opened.
   */
  readonly onCommit?: (end: LogEnd) => void
}

/** What a log is opened with that is another's: nothing is compacted by itself, and so nothing forgotten. */
export const KEEPS_ALL = { names: true, compactBytes: Number.POSITIVE_INFINITY } satisfies LedgerOptions

/** The options that a state is made with. */
export function stateOptions({ names, keepStatsMs }: LedgerOptions): StateOptions {
  return { ...(names === undefined ? {} : { names }), ...(keepStatsMs === undefined ? {} : { keepStatsMs }) }
}
