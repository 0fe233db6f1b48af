import type { Core } from "../engine/core.js"
import { SluiceError, StoreCorrupt, StoreUnavailable } from "../types/errors.js"
import type { Compaction } from "../types/storage-report.js"
import { Compactor } from "./compactor.js"
import { GroupCommit } from "./group-commit.js"
import type { LedgerOptions } from "./ledger-options.js"
import type { LedgerState } from "./ledger-state.js"
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

/** Records that were answered and may not be in the file, because a commit under `batch` has failed. */
export interface Loss {
  /** At most so many. */
  readonly records: number
  readonly cause: SluiceError
}

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
  /** Called when a compaction took every block of units back. */
  readonly onRestart: () => void
}

/**
 * The file's side of a ledger: commits what was appended, compacts, verifies and reads it. A commit is made in one turn
 * of the event loop, whatever else is under way; compactions and verifications, which take several, come one after the
 * other. A write that fails closes it for good; a compaction for which there is no memory is given up, and nothing else.
 */
export class LedgerLog {
  readonly writer: LogWriter
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
   * Whether a compaction is under way, or one that begins by itself waits for its turn. Whoever begins one sets it before
   * the first commit of that, after which the next would begin by itself.
   */
  #isCompacting = false
  /** Why the last one was given up, if it was, and how many bytes of log were not covered then. */
  #gaveUp: { readonly cause: StoreUnavailable; readonly logBytes: number } | null = null
  #isEnding = false
  #failure: SluiceError | null = null
  #loss: Loss | null = null

  constructor({ port, table, core, state, open, position, options, onRestart }: LedgerLogInput) {
    this.#port = port
    this.#table = table
    this.#core = core
    this.#state = state
    this.#options = options
    this.writer = new LogWriter(port, table, open, position, (end) => options.onCommit?.(end))
    this.#commits = new GroupCommit(
      port,
      () => this.#write(),
      () => this.#compactIfLong(),
    )
    this.#reader = new LogReader(port, table, () => this.requireOpen())
    this.#compactor = new Compactor({
      ...position,
      port,
      table,
      state,
      options,
      writer: this.writer,
      onRestart,
      requireOpen: () => this.requireOpen(),
      commit: () => this.commit(),
      withCommit: (work) => {
        this.#withCommit.push(work)
        return this.commit()
      },
    })
  }

  /** Resolves when everything appended so far is in the file. @throws {StoreUnavailable} where it could not be written */
  commit(): Promise<void> {
    if (this.#failure === null) return this.#commits.commit()
    const failed = Promise.reject(this.#failure)
    // A caller that does not wait must not turn the failure into an unhandled rejection.
    failed.catch(() => undefined)
    return failed
  }

  /** The last records that `wants` picks, the newest first. @throws {StoreCorrupt} {StoreUnavailable} */
  async lastRecords(count: number, wants: (record: LogRecord) => boolean): Promise<readonly LogRecord[]> {
    await this.commit()
    return this.#reader.last(count, wants)
  }

  /** Every record from a place on that the log has once it is committed, in order. @throws {StoreCorrupt} {StoreUnavailable} */
  async *records(place?: LogPlace): AsyncGenerator<PlacedRecord, void, undefined> {
    await this.commit()
    yield* this.#reader.from(this.writer.end, place)
  }

  /**
   * Puts a snapshot of the state in place of the segments that led to it, while commits go on. It has its turn from here
   * on: who ends the log afterwards waits for it.
   *
   * @throws {StoreUnavailable} also where there is no memory for it: then the log goes on as it is
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
    this.requireOpen()
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
   * commits go on. Waits for a compaction under way; one that is asked for meanwhile waits for it, and so does who ends the
   * log afterwards.
   *
   * @throws {StoreCorrupt} {StoreVersion} where the log is not what was written, {StoreUnavailable} also where there is no
   *   memory to read it; then the ledger goes on
   */
  verify(): Promise<Verification> {
    return this.#inTurn(async () => {
      await this.commit()
      return this.#verify()
    })
  }

  /** Whether it can still be asked: not closed, and no commit has failed. */
  get isOpen(): boolean {
    return this.#failure === null
  }

  /** Begins no compaction by itself any more. Resolves when none is under way, and nothing is being written. */
  async end(): Promise<void> {
    this.#isEnding = true
    await this.#upkeep
  }

  /** @throws {StoreUnavailable} where it was closed, or a commit has failed */
  requireOpen(): void {
    if (this.#failure !== null) throw this.#failure
  }

  /** Writes what there is; gives a promise where it is not durable yet. */
  #write(): Promise<void> | undefined {
    this.requireOpen()
    const also = this.#takeWorks()
    try {
      if (this.writer.hasNews) {
        return this.writer.writeBeside(this.writer.close("full"), this.#isAwaited, also)?.catch((error: unknown) => {
          throw this.#fail(error)
        })
      }
      if (also !== undefined) this.#table.transaction(also)
      return undefined
    } catch (error) {
      throw this.#fail(error)
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
    if (grown <= Math.max(this.#compactBytes, snapshotBytes * 2) || this.#failure !== null) return
    if (this.#isCompacting || this.#isEnding || this.#nextCompaction !== null) return
    this.#isCompacting = true
    // A failure closes the ledger, so that every caller learns of it; that it was given up is told by `compactionProblem`.
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
    let records: number | null
    try {
      records = await this.#compactor.compact()
    } catch (error) {
      throw this.#fail(error)
    } finally {
      this.#isCompacting = false
    }
    if (records === null) {
      this.#gaveUp = { cause: noMemoryToCompact(), logBytes: this.writer.logBytes }
      throw this.#gaveUp.cause
    }
    this.#gaveUp = null
    return records
  }

  /** Why the last compaction was given up; `null` where it was not. */
  get compactionProblem(): StoreUnavailable | null {
    return this.#gaveUp?.cause ?? null
  }

  #verify(): Promise<Verification> {
    this.requireOpen()
    // In the same turn the live state begins to be saved, so that it is that of the rows before this one.
    const open = this.#endSegment()
    return verifyLog({
      port: this.#port,
      table: this.#table,
      core: this.#core,
      state: this.#state,
      options: this.#options,
      open,
      requireOpen: () => this.requireOpen(),
    })
  }

  /** Seals what has records. The row of the open segment that follows. */
  #endSegment(): LogRow {
    // An empty segment stays open: verifying a log again and again must not make it grow.
    const closed = this.writer.close("used")
    try {
      this.writer.write(closed)
    } catch (error) {
      throw this.#fail(error)
    }
    const { openSequence } = this.writer
    const open = readRows(this.#port, () => this.#table.segmentFrom(openSequence))
    if (open === undefined) throw new StoreCorrupt(segmentRow(openSequence), "it is missing")
    return open
  }

  /** Nothing may be asked any more. */
  shut(): void {
    this.#failure ??= new StoreUnavailable("the ledger is closed")
  }

  /** Closes the ledger for good: what is in memory may not be in the file. */
  #fail(cause: unknown): SluiceError {
    if (this.#failure !== null) return this.#failure
    this.#failure = cause instanceof SluiceError ? cause : commitFailure(cause)
    const lost = this.writer.toldUnwritten
    if (lost > 0) this.#loss = { records: lost, cause: this.#failure }
    try {
      this.#options.onFailure?.(this.#failure, lost)
    } catch {
      // Those who wait must learn of the failure, not of what the callback threw.
    }
    return this.#failure
  }

  /** Tells once what a commit that failed has lost; `null` where nothing. */
  takeLoss(): Loss | null {
    const loss = this.#loss
    this.#loss = null
    return loss
  }
}

function noMemoryToCompact(): StoreUnavailable {
  return new StoreUnavailable("the memory for keys is full, and the log was not compacted")
}

/** Gives the cause in the message too, so that a full disk shows also where only the message is read. */
function commitFailure(cause: unknown): StoreUnavailable {
  const why = cause instanceof Error && cause.message !== "" ? `: ${cause.message.replace(/\.$/, "")}` : ""
  return new StoreUnavailable(`a commit failed${why}`, { cause })
}
