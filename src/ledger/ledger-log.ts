import type { Core } from "../engine/core.js"
import { StoreCorrupt, type StoreUnavailable } from "../types/errors.js"
import type { Compaction } from "../types/storage-report.js"
import { Compactor } from "./compactor.js"
import { GroupCommit } from "./group-commit.js"
import type { LedgerOptions } from "./ledger-options.js"
import type { LedgerState } from "./ledger-state.js"
import { LogFailure } from "./log-failure.js"
import { type LogPlace, LogReader, type PlacedRecord } from "./log-reader.js"
import type { LogTable } from "./log-table.js"
import { type LogPosition, LogWriter } from "./log-writer.js"
import { readRows } from "./read-rows.js"
import type { LogRecord } from "./record.js"
import type { Recovered } from "./recovery.js"
import { type SegmentWriter, segmentRow } from "./segment.js"
import type { LedgerPort, LogRow } from "./sql-port.js"
import { type Verification, verifyLog } from "./verification.js"

const DEFAULT_COMPACT_BYTES = 64 * 1024

/** What a log is opened with. */
export interface LedgerLogInput {
  readonly port: LedgerPort
  readonly table: LogTable
  readonly core: Core
  readonly state: LedgerState
  /** The segment that the log ends with. */
  readonly open: SegmentWriter
  readonly position: LogPosition & Pick<Recovered, "oldestSequence" | "snapshotIds">
  readonly options: LedgerOptions
  /** Called when a compaction took every grant of units back. */
  readonly onRestart: () => void
}

/**
 * The file's side of a ledger: commits what was appended, compacts, verifies and reads it. A commit is made in one turn
 * of the event loop, whatever else is under way; compactions and verifications, which take several, come one after the
 * other. A write that fails closes it for good; a compaction for which there is no memory, or no room on the disk, is
 * given up, and nothing else.
 */
export class LedgerLog {
  readonly writer: LogWriter
  readonly failure: LogFailure
  readonly #port: LedgerPort
  readonly #table: LogTable
  readonly #core: Core
  readonly #state: LedgerState
  readonly #options: LedgerOptions
  readonly #commits: GroupCommit
  readonly #compactor: Compactor
  readonly #reader: LogReader
  /** What is done in the transaction of the next commit. */
  #withCommit: (() => void)[] = []
  /** Compactions and verifications, one after the other. */
  #upkeep: Promise<unknown> = Promise.resolve()
  /** The compaction that was asked for and has not begun; all who ask share it. */
  #nextCompaction: Promise<Compaction> | null = null
  /**
   * Whether a compaction is under way, or one that begins by itself waits for its turn. Whoever begins one sets it
   * before the first commit of that, after which the next would begin by itself.
   */
  #isCompacting = false
  /** Why the last one was given up, if it was, and how many bytes of log were not covered then. */
  #gaveUp: { readonly cause: StoreUnavailable; readonly logBytes: number } | null = null
  #isEnding = false

  constructor({ port, table, core, state, open, position, options, onRestart }: LedgerLogInput) {
    this.#port = port
    this.#table = table
    this.#core = core
    this.#state = state
    this.#options = options
    this.writer = new LogWriter(port, table, open, position, (end) => options.onCommit?.(end))
    this.failure = new LogFailure(this.writer, options)
    this.#commits = new GroupCommit(
      port,
      () => this.#write(),
      () => this.#compactIfLong(),
    )
    this.#reader = new LogReader(port, table, this.failure)
    this.#compactor = new Compactor({
      ...position,
      port,
      table,
      state,
      options,
      writer: this.writer,
      onRestart,
      failure: this.failure,
      commit: () => this.commit(),
      withCommit: (work) => {
        this.#withCommit.push(work)
        return this.commit()
      },
    })
  }

  /**
   * Resolves when everything appended so far is in the file. @throws {StoreUnavailable} where it could not be written
   */
  commit(): Promise<void> {
    const { cause } = this.failure
    if (cause === null) return this.#commits.commit()
    const failed = Promise.reject(cause)
    // A caller that does not wait must not turn the failure into an unhandled rejection.
    failed.catch(() => undefined)
    return failed
  }

  /** The last records that `wants` picks, the newest first. @throws {StoreCorrupt} {StoreUnavailable} */
  async lastRecords(count: number, wants: (record: LogRecord) => boolean): Promise<readonly LogRecord[]> {
    await this.commit()
    return this.#reader.last(count, wants)
  }

  /**
   * Every record from a place on that the log has once it is committed, in order. @throws {StoreCorrupt}
   * {StoreUnavailable}
   */
  async *records(place?: LogPlace): AsyncGenerator<PlacedRecord, void, undefined> {
    await this.commit()
    yield* this.#reader.from(this.writer.end, place)
  }

  /**
   * Puts a snapshot of the state in place of the segments that led to it, while commits go on. It has its turn from
   * here on: who ends the log afterwards waits for it.
   *
   * @throws {StoreUnavailable} also where there is no memory or room for it: then the log goes on as it is
   */
  compact(): Promise<Compaction> {
    this.#nextCompaction ??= this.#inTurn(() => {
      this.#nextCompaction = null
      return this.#compactAndTell()
    })
    return this.#nextCompaction
  }

  /** Sum of the rows' bytes, as they are in the file. */
  #bytes(): number {
    this.failure.requireOpen()
    return readRows(this.#port, () => this.#table.bytes())
  }

  /** Drops rows that a compaction left which was not finished. */
  async dropLeft(ids: readonly number[]): Promise<void> {
    await this.#compactor.dropLeft(ids)
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#upkeep.then(work)
    this.#upkeep = done.catch(() => undefined)
    return done
  }

  /**
   * Reads the whole log anew, up to now, and compares what it replays to with the live state of now, while checks and
   * commits go on. Waits for a compaction under way; one that is asked for meanwhile waits for it, and so does who ends
   * the log afterwards.
   *
   * @throws {StoreCorrupt} {StoreVersion} where the log is not what was written, {StoreUnavailable} also where there is
   *   no memory to read it; then the ledger goes on
   */
  verify(): Promise<Verification> {
    return this.#inTurn(async () => {
      await this.commit()
      return this.#verify()
    })
  }

  /** Begins no compaction by itself any more. Resolves when none is under way, and nothing is being written. */
  async end(): Promise<void> {
    this.#isEnding = true
    await this.#upkeep
  }

  /** Writes what there is; gives a promise where it is not durable yet. */
  #write(): Promise<void> | undefined {
    this.failure.requireOpen()
    const also = this.#takeWorks()
    try {
      if (this.writer.hasNews) {
        return this.writer
          .writeBeside(this.writer.close("full"), { isAwaited: this.#isAwaited }, also)
          ?.catch((error: unknown) => {
            throw this.failure.fail(error)
          })
      }
      if (also !== undefined) this.#table.transaction(also)
      return undefined
    } catch (error) {
      throw this.failure.fail(error)
    }
  }

  /** What is to be done in the transaction of this commit; `undefined` where there is nothing, as in most. */
  #takeWorks(): (() => void) | undefined {
    const works = this.#withCommit
    if (works.length === 0) return undefined
    this.#withCommit = []
    return () => {
      for (const work of works) work()
    }
  }

  /** Whether answers wait for their commit. */
  get #isAwaited(): boolean {
    const { sync = "always" } = this.#options
    return sync === "always"
  }

  #compactIfLong(): void {
    const { logBytes, snapshotBytes } = this.writer
    // After one that was given up, the log grows by as much again before the next.
    const grown = logBytes - (this.#gaveUp?.logBytes ?? 0)
    if (grown <= Math.max(this.#compactBytes, snapshotBytes * 2) || this.failure.cause !== null) return
    if (this.#isCompacting || this.#isEnding || this.#nextCompaction !== null) return
    this.#isCompacting = true
    // A failure closes the ledger, so that every caller learns of it; that it was given up is told by
    // `compactionProblem`.
    this.#inTurn(() => this.#compact()).catch(() => undefined)
  }

  /** So much log is compacted by itself. A disk that fills up is not waited for, where it is at all. */
  get #compactBytes(): number {
    const { compactBytes = DEFAULT_COMPACT_BYTES } = this.#options
    if (compactBytes === Number.POSITIVE_INFINITY || this.#port.lacksRoom?.() !== true) return compactBytes
    return Math.min(compactBytes, DEFAULT_COMPACT_BYTES)
  }

  async #compactAndTell(): Promise<Compaction> {
    this.#isCompacting = true
    let bytesBefore: number
    try {
      await this.commit()
      bytesBefore = this.#bytes()
    } catch (error) {
      this.#isCompacting = false
      throw error
    }
    const records = await this.#compact()
    return { records, bytesBefore, bytesAfter: this.#bytes() }
  }

  /** @returns how many records the snapshot now stands for */
  async #compact(): Promise<number> {
    let compacted: number | StoreUnavailable
    try {
      compacted = await this.#compactor.compact()
    } catch (error) {
      throw this.failure.fail(error)
    } finally {
      this.#isCompacting = false
    }
    if (typeof compacted !== "number") {
      this.#gaveUp = { cause: compacted, logBytes: this.writer.logBytes }
      throw compacted
    }
    this.#gaveUp = null
    return compacted
  }

  /** Why the last compaction was given up; `null` where it was not. */
  get compactionProblem(): StoreUnavailable | null {
    return this.#gaveUp?.cause ?? null
  }

  #verify(): Promise<Verification> {
    this.failure.requireOpen()
    // In the same turn the live state begins to be saved, so that it is that of the rows before this one.
    const open = this.#endSegment()
    return verifyLog({
      port: this.#port,
      table: this.#table,
      core: this.#core,
      state: this.#state,
      options: this.#options,
      open,
      failure: this.failure,
    })
  }

  /** Seals what has records. The row of the open segment that follows. */
  #endSegment(): LogRow {
    // An empty segment stays open: verifying a log again and again must not make it grow.
    const closed = this.writer.close("used")
    try {
      if (closed.length > 0 || this.writer.hasNews) this.writer.write(closed)
    } catch (error) {
      throw this.failure.fail(error)
    }
    const { openSequence } = this.writer
    const open = readRows(this.#port, () => this.#table.rowFrom(openSequence))
    if (open === undefined) throw new StoreCorrupt(segmentRow(openSequence), "it is missing")
    return open
  }
}
