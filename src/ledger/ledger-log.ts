import type { Core } from "../engine/core.js"
import { SluiceError, StoreUnavailable } from "../types/errors.js"
import { sameBytes } from "./envelope.js"
import { GroupCommit } from "./group-commit.js"
import type { LedgerOptions } from "./ledger-options.js"
import type { LedgerState, StateOptions } from "./ledger-state.js"
import { type LogPlace, LogReader, type PlacedRecord } from "./log-reader.js"
import type { LogTable } from "./log-table.js"
import { type LogPosition, LogWriter } from "./log-writer.js"
import type { LogRecord } from "./record.js"
import { recover } from "./recovery.js"
import type { SegmentWriter } from "./segment.js"
import type { LedgerPort, LogRow } from "./sql-port.js"

/** What `verify` found. */
export interface Verification {
  readonly rows: number
  /** Those of the rows that are segments. */
  readonly segments: number
  readonly bytes: number
  readonly records: number
  /** Those of the records that the snapshot does not cover. */
  readonly uncoveredRecords: number
  /** The open segment. */
  readonly sequence: number
  /** The last segment that the snapshot covers; 0 where there is none. */
  readonly coveredSequence: number
  /** Whether replaying the log gives the live state, bit for bit. */
  readonly replayEqualsLive: boolean
}

const DEFAULT_COMPACT_BYTES = 64 * 1024
const DEFAULT_PART_BYTES = 1_000_000

/** What a log is opened with. */
export interface LedgerLogInput {
  readonly port: LedgerPort
  readonly table: LogTable
  readonly core: Core
  readonly state: LedgerState
  /** The segment that the log ends with. */
  readonly open: SegmentWriter
  readonly position: LogPosition
  readonly options: LedgerOptions
  /** Hears when a compaction took every block of units back. */
  readonly onRestart: () => void
}

/**
 * The file's side of a ledger: commits what was appended, compacts, verifies and reads it, one at a time. What cannot be
 * written closes it for good.
 */
export class LedgerLog {
  readonly writer: LogWriter
  readonly #port: LedgerPort
  readonly #table: LogTable
  readonly #core: Core
  readonly #state: LedgerState
  readonly #options: LedgerOptions
  readonly #onRestart: () => void
  readonly #commits: GroupCommit
  readonly #reader: LogReader
  #failure: SluiceError | null = null

  constructor({ port, table, core, state, open, position, options, onRestart }: LedgerLogInput) {
    this.#port = port
    this.#table = table
    this.#core = core
    this.#state = state
    this.#options = options
    this.#onRestart = onRestart
    this.writer = new LogWriter(
      port,
      table,
      open,
      position,
      () => this.requireOpen(),
      (end) => options.onCommit?.(end),
    )
    this.#commits = new GroupCommit(
      port,
      () => this.#write(),
      () => this.#compactIfLong(),
    )
    this.#reader = new LogReader(port, table)
  }

  /** Resolves when everything appended so far is in the file. @throws {StoreUnavailable} where it could not be written */
  commit(): Promise<void> {
    return this.#failure === null ? this.#commits.commit() : Promise.reject(this.#failure)
  }

  /** The last records that `wants` picks, the newest first. @throws {StoreCorrupt} {StoreUnavailable} */
  async lastRecords(count: number, wants: (record: LogRecord) => boolean): Promise<readonly LogRecord[]> {
    await this.commit()
    return this.#reader.last(count, wants)
  }

  /** Every record that the log still has from a place on, in order. @throws {StoreCorrupt} {StoreUnavailable} */
  async *records(place?: LogPlace): AsyncGenerator<PlacedRecord, void, undefined> {
    await this.commit()
    yield* this.#reader.from(place)
  }

  /** Writes a snapshot of the state and drops the segments that it covers, in one transaction. */
  async compact(): Promise<void> {
    await this.commit()
    return this.#commits.alone(() => this.#compact())
  }

  /**
   * Reads the whole log anew and compares what it replays to with the live state.
   *
   * @throws {StoreCorrupt} {StoreVersion} where the log is not what was written
   */
  async verify(): Promise<Verification> {
    await this.commit()
    return this.#commits.alone(() => this.#verify())
  }

  /** Whether it can still be asked: not closed, and no commit has failed. */
  get isOpen(): boolean {
    return this.#failure === null
  }

  /** Resolves when nothing is being written. */
  idle(): Promise<void> {
    return this.#commits.idle()
  }

  /** @throws {StoreUnavailable} where it was closed, or a commit has failed */
  requireOpen(): void {
    if (this.#failure !== null) throw this.#failure
  }

  /** What nobody commits, such as denials, must not fill the memory. */
  commitIfLong(isLong: boolean): void {
    if (isLong) void this.commit()
  }

  async #write(): Promise<void> {
    this.requireOpen()
    if (!this.writer.hasNews) return
    try {
      await this.writer.write(this.writer.close("full"))
    } catch (error) {
      throw this.fail(error)
    }
  }

  async #compactIfLong(): Promise<void> {
    const { compactBytes = DEFAULT_COMPACT_BYTES } = this.#options
    const { logBytes, snapshotBytes } = this.writer
    if (logBytes <= Math.max(compactBytes, snapshotBytes * 2) || this.#failure !== null) return
    // What fails closes the ledger, and everybody learns it.
    await this.#compact().catch(() => undefined)
  }

  async #compact(): Promise<void> {
    this.requireOpen()
    const { historySegments = 0, partBytes = DEFAULT_PART_BYTES } = this.#options
    await this.#orFail(async () => {
      const closed = this.writer.close("all")
      const state = this.#state.renew()
      this.#onRestart()
      await this.writer.writeSnapshot(closed, state, { historySegments, partBytes })
    })
  }

  async #verify(): Promise<Verification> {
    this.requireOpen()
    let rows: readonly LogRow[] = []
    const { throughSequence, live } = await this.#orFail(async () => {
      // A log that is looked at often, and has no news, does not grow by that.
      const closed = this.writer.close("used")
      const throughSequence = this.writer.openSequence - 1
      const live = this.#state.save({ idle: "kept" })
      await this.writer.write(closed, () => {
        rows = this.#table.read()
      })
      return { throughSequence, live }
    })
    const { state, ...found } = await recover(this.#port, this.#core, rows, {
      throughSequence,
      ...stateOptions(this.#options),
    })
    const replayed = state.save({ idle: "kept" })
    state.free()
    return {
      rows: found.rows,
      segments: found.segments,
      bytes: found.bytes,
      records: found.records,
      uncoveredRecords: found.uncoveredRecords,
      sequence: found.open.sequence,
      coveredSequence: found.coveredSequence,
      replayEqualsLive: sameBytes(live, replayed),
    }
  }

  async #orFail<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      throw this.fail(error)
    }
  }

  /** Closes the ledger for good: what is in memory may not be in the file. */
  fail(cause: unknown): SluiceError {
    this.#failure ??= cause instanceof SluiceError ? cause : commitFailure(cause)
    return this.#failure
  }
}

/** Says why in the message too: who reads only that is to know of a full disk. */
function commitFailure(cause: unknown): StoreUnavailable {
  const why = cause instanceof Error && cause.message !== "" ? `: ${cause.message.replace(/\.$/, "")}` : ""
  return new StoreUnavailable(`a commit failed${why}`, { cause })
}

/** The options that a state is made with. */
export function stateOptions({ names, keepStatsMs }: LedgerOptions): StateOptions {
  return { ...(names === undefined ? {} : { names }), ...(keepStatsMs === undefined ? {} : { keepStatsMs }) }
}
