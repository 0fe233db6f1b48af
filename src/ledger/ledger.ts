import { Core } from "../engine/core.js"
import { LATEST_MS } from "../engine/core-exports.js"
import type { LimitDecision } from "../engine/limit-decision.js"
import type { Policy } from "../policy/policy.js"
import { SluiceError, StoreUnavailable, show } from "../types/errors.js"
import type { Receipt } from "../types/receipt.js"
import { sameBytes } from "./envelope.js"
import { type LedgerLimit, LedgerState } from "./ledger-state.js"
import { LogTable } from "./log-table.js"
import { newMeta, writeMeta } from "./meta.js"
import type { DenyRecord, LogRecord } from "./record.js"
import { type Recovered, recover } from "./recovery.js"
import { SegmentWriter } from "./segment.js"
import { writeSnapshot } from "./snapshot.js"
import type { LedgerPort, LogRow } from "./sql-port.js"

export interface LedgerOptions {
  /** The core that holds the state; one of its own if not given. Many small ledgers share one. */
  readonly core?: Core
  /** The log is compacted by itself when its segments that no snapshot covers have this many bytes. */
  readonly compactBytes?: number
  /** How many covered segments a compaction keeps as history. */
  readonly historySegments?: number
  /** The most bytes of state in one row of a snapshot. Rows must stay below 2 MB in a Durable Object. */
  readonly partBytes?: number
}

/** What `verify` found. */
export interface Verification {
  readonly rows: number
  readonly bytes: number
  readonly records: number
  /** The open segment. */
  readonly sequence: number
  /** The last segment that the snapshot covers; 0 where there is none. */
  readonly coveredSequence: number
  /** Whether replaying the log gives the live state, bit for bit. */
  readonly replayEqualsLive: boolean
}

/** A segment that grew over several commits is full when one more page of the file would be touched. */
const PAGE_BYTES = 3_500
/** A segment that one commit fills may be larger, still far below the 2 MB of a row. */
const COMMIT_BYTES = 500_000
const DEFAULT_COMPACT_BYTES = 64 * 1024
const DEFAULT_PART_BYTES = 1_000_000
const NAME_LENGTH_MAX = 512

/**
 * Decisions made durable: the core, and an append log in SQLite.
 *
 * A verb decides at once in memory and appends a record; `commit()` gives a promise that resolves when everything
 * appended so far is in the file. All records that come while a commit is under way share the next one. Denials are
 * told too, but ride along: they never ask for a commit.
 *
 * A commit that fails leaves the memory ahead of the log: the ledger is then closed, its callers get
 * `StoreUnavailable`, and a new one must be opened.
 */
export class Ledger {
  readonly #port: LedgerPort
  readonly #table: LogTable
  readonly #core: Core
  readonly #state: LedgerState
  readonly #compactBytes: number
  readonly #historySegments: number
  readonly #partBytes: number
  readonly #metaHash: Uint8Array
  /** Segments with records that are not in the file yet, in order; the last one is open. */
  readonly #writers: SegmentWriter[]
  /** Records of the open segment that are in the file. */
  #committed: number
  #heldDenial: DenyRecord | null = null
  /** Bytes of sealed segments that no snapshot covers. */
  #logBytes: number
  #snapshotBytes: number
  /** The first segment in the file. */
  #oldestSequence: number
  #group: CommitGroup | null = null
  #running: Promise<void> = Promise.resolve()
  #failure: SluiceError | null = null
  #commits = 0

  private constructor(
    port: LedgerPort,
    table: LogTable,
    core: Core,
    state: LedgerState,
    open: SegmentWriter,
    log: Pick<Recovered, "metaHash" | "logBytes" | "snapshotBytes" | "oldestSequence">,
    { compactBytes = DEFAULT_COMPACT_BYTES, historySegments = 0, partBytes = DEFAULT_PART_BYTES }: LedgerOptions,
  ) {
    this.#port = port
    this.#table = table
    this.#core = core
    this.#state = state
    this.#writers = [open]
    this.#committed = open.count
    this.#metaHash = log.metaHash
    this.#logBytes = log.logBytes
    this.#snapshotBytes = log.snapshotBytes
    this.#oldestSequence = log.oldestSequence
    this.#compactBytes = compactBytes
    this.#historySegments = historySegments
    this.#partBytes = partBytes
  }

  /**
   * Opens the log, or starts one where there is none.
   *
   * @throws {StoreCorrupt} {StoreVersion}; then nothing was written
   */
  static async open(port: LedgerPort, options: LedgerOptions = {}): Promise<Ledger> {
    const table = new LogTable(port.sql)
    const core = options.core ?? new Core()
    if (table.exists()) {
      const recovered = await recover(port, core, table.read())
      return new Ledger(port, table, core, recovered.state, SegmentWriter.resume(recovered.open), recovered, options)
    }
    const meta = newMeta()
    const { body, hash } = await writeMeta(port, meta)
    const open = new SegmentWriter(1, hash)
    const segment = await open.seal(port, { isSealed: false })
    table.transaction(() => {
      table.create()
      table.writeMeta(body)
      table.writeSegment(1, segment.body)
    })
    const state = new LedgerState(core, meta.seed, meta.id)
    const empty = { metaHash: hash, logBytes: 0, snapshotBytes: 0, oldestSequence: 1 }
    return new Ledger(port, table, core, state, open, empty, options)
  }

  /** Commits made since the ledger was opened. */
  get commits(): number {
    return this.#commits
  }

  get limits(): readonly LedgerLimit[] {
    return this.#state.limits
  }

  limit(name: string): LedgerLimit | undefined {
    return this.#state.limit(name)
  }

  /**
   * Defines a limit, or puts another policy in its place: what was used stays used.
   *
   * @param name 1 … 512 characters, well-formed
   * @throws {RangeError} where the name or the time cannot be; then nothing has changed
   */
  define(name: string, policy: Policy, nowMs: number): LedgerLimit {
    this.#requireOpen()
    requireName(name)
    requireTime(nowMs)
    const known = this.#state.limit(name)
    if (known !== undefined && known.keys.policy.canonical === policy.canonical) return known
    const limit = this.#state.define(name, policy, nowMs)
    this.#append({ op: "define", timeMs: nowMs, limit: limit.number, name, policy: policy.canonical })
    return limit
  }

  /**
   * Asks and charges in memory. An admission must not be told before `commit()` has resolved; a denial may be.
   *
   * @throws {CostError} {KeyError} {RangeError}; then nothing has changed
   */
  check(
    limit: LedgerLimit,
    key: string,
    cost: number,
    nowMs: number,
  ): { decision: LimitDecision; needsCommit: boolean } {
    this.#requireOpen()
    const decision = limit.keys.check(key, cost, nowMs)
    if (cost === 0) return { decision, needsCommit: false }
    if (decision.allowed) {
      this.#append({ op: "admit", timeMs: nowMs, limit: limit.number, key, cost })
      return { decision, needsCommit: true }
    }
    // A denial that starts a block changes what comes after, so it is told like an admission.
    const startsBlock = decision.reason === "limit" && limit.keys.policy.blockMs > 0
    this.#appendDenial(
      { op: "deny", timeMs: nowMs, limit: limit.number, key, cost, count: 1, lastMs: nowMs },
      startsBlock,
    )
    return { decision, needsCommit: startsBlock }
  }

  charge(limit: LedgerLimit, key: string, units: number, nowMs: number): void {
    this.#requireOpen()
    limit.keys.charge(key, units, nowMs)
    this.#append({ op: "charge", timeMs: nowMs, limit: limit.number, key, cost: units })
  }

  /**
   * Settles a receipt once: gives `units` back or, where they are negative, charges as many more.
   *
   * @returns false where it was settled before or is too old; then nothing has changed
   * @throws {KeyError} {RangeError} where the receipt is not of this limit or cannot be; then nothing has changed
   */
  settle(limit: LedgerLimit, receipt: Receipt, units: number, nowMs: number): boolean {
    this.#requireOpen()
    const charge = limit.keys.chargeOf(receipt.id)
    if (charge === null) throw new RangeError(`Cannot settle receipt ${show(receipt.id)}: it is not of this limit.`)
    if (!this.#state.settle(limit, receipt, units, nowMs)) return false
    const { key, chargedAtMs } = receipt
    this.#append({ op: "settle", timeMs: nowMs, limit: limit.number, key, units, chargedAtMs, charge })
    return true
  }

  block(limit: LedgerLimit, key: string, untilMs: number, nowMs: number): void {
    this.#requireOpen()
    limit.keys.block(key, untilMs, nowMs)
    this.#append({ op: "block", timeMs: nowMs, limit: limit.number, key, untilMs })
  }

  unblock(limit: LedgerLimit, key: string, nowMs: number): boolean {
    this.#requireOpen()
    requireTime(nowMs)
    const had = limit.keys.unblock(key)
    if (had) this.#append({ op: "unblock", timeMs: nowMs, limit: limit.number, key })
    return had
  }

  reset(limit: LedgerLimit, key: string, nowMs: number): boolean {
    this.#requireOpen()
    const had = limit.keys.reset(key, nowMs)
    this.#append({ op: "reset", timeMs: nowMs, limit: limit.number, key })
    return had
  }

  /** Resolves when everything appended so far is in the file. @throws {StoreUnavailable} where it could not be written */
  commit(): Promise<void> {
    if (this.#failure !== null) return Promise.reject(this.#failure)
    if (this.#group === null) {
      const group = new CommitGroup()
      this.#group = group
      // The next turn takes everybody who is ready now; a commit under way is waited for.
      this.#port.defer(() => {
        this.#running = this.#running.then(() => this.#write(group))
      })
    }
    return this.#group.done
  }

  /** Writes a snapshot of the state and drops the segments that it covers, in one transaction. */
  async compact(): Promise<void> {
    await this.commit()
    const done = this.#running.then(() => this.#compact())
    this.#running = done.catch(() => undefined)
    return done
  }

  /**
   * Reads the whole log anew and compares what it replays to with the live state.
   *
   * @throws {StoreCorrupt} {StoreVersion} where the log is not what was written
   */
  async verify(): Promise<Verification> {
    await this.commit()
    const done = this.#running.then(() => this.#verify())
    this.#running = done.then(
      () => undefined,
      () => undefined,
    )
    return done
  }

  /** Whether it can still be asked: not closed, and no commit has failed. */
  get isOpen(): boolean {
    return this.#failure === null
  }

  /** Commits what is left, and frees the memory. Nothing may be asked afterwards. */
  async close(): Promise<void> {
    if (this.#failure === null) await this.commit()
    await this.#running
    this.abandon()
  }

  /** Frees the memory without a commit: what was not committed is lost. Nothing may be asked afterwards. */
  abandon(): void {
    this.#fail(new StoreUnavailable("the ledger is closed"))
    this.#state.free()
  }

  #requireOpen(): void {
    if (this.#failure !== null) throw this.#failure
  }

  #append(record: LogRecord): void {
    this.#state.noteTime(record.timeMs)
    this.#tellDenial()
    this.#appendTo(record)
  }

  #appendTo(record: LogRecord): void {
    let open = this.#writers.at(-1)!
    if (open.length >= COMMIT_BYTES) {
      open = new SegmentWriter(open.sequence + 1)
      this.#writers.push(open)
      // Denials that nobody commits must not fill the memory.
      void this.commit()
    }
    open.append(record)
  }

  /** Holds a denial back while more of the same kind come, so that a flood is one record. */
  #appendDenial(record: DenyRecord, startsBlock: boolean): void {
    this.#state.noteTime(record.timeMs)
    const held = this.#heldDenial
    const same = held !== null && held.limit === record.limit && held.key === record.key && held.cost === record.cost
    // Only in the order of time, so that repeating the first of them leaves the state as all of them did.
    if (same && !startsBlock && record.timeMs >= held.lastMs) {
      this.#heldDenial = { ...held, count: held.count + 1, lastMs: record.timeMs }
      return
    }
    this.#tellDenial()
    this.#heldDenial = record
  }

  #tellDenial(): void {
    if (this.#heldDenial === null) return
    this.#appendTo(this.#heldDenial)
    this.#heldDenial = null
  }

  /** Closes the segments that are full, or all where `rolling`, and opens the next. What comes from here on goes there. */
  #closeSegments({ rolling }: { readonly rolling: boolean }): SegmentWriter[] {
    this.#tellDenial()
    const open = this.#writers.at(-1)!
    if (rolling || open.length >= PAGE_BYTES) this.#writers.push(new SegmentWriter(open.sequence + 1))
    return this.#writers.splice(0, this.#writers.length - 1)
  }

  /** Seals closed segments in order, each with the hash of the one before, and gives the open one its own. */
  async #seal(closed: readonly SegmentWriter[]): Promise<SealedSegment[]> {
    const sealed: SealedSegment[] = []
    for (const [index, writer] of closed.entries()) {
      const { body, hash } = await writer.seal(this.#port, { isSealed: true })
      sealed.push({ sequence: writer.sequence, body, hash })
      const next = closed[index + 1] ?? this.#writers[0]!
      next.previousHash = hash
    }
    return sealed
  }

  /** The open segment as it is now. What is appended from here on is not in it. */
  async #sealOpen(): Promise<{ readonly sequence: number; readonly count: number; readonly body: Uint8Array }> {
    const open = this.#writers[0]!
    const { sequence, count } = open
    const { body } = await open.seal(this.#port, { isSealed: false })
    return { sequence, count, body }
  }

  /** Writes closed segments and the open one in one transaction, with `also` in it. */
  async #writeLog(closed: readonly SegmentWriter[], also?: () => void): Promise<void> {
    const sealed = await this.#seal(closed)
    const open = await this.#sealOpen()
    // Who abandoned the ledger while the hashes were made may have opened another on the same rows.
    this.#requireOpen()
    if (sealed.length === 0 && also === undefined) {
      this.#table.writeSegment(open.sequence, open.body)
    } else {
      this.#table.transaction(() => {
        for (const segment of sealed) this.#table.writeSegment(segment.sequence, segment.body)
        this.#table.writeSegment(open.sequence, open.body)
        also?.()
      })
    }
    this.#committed = open.count
    for (const segment of sealed) this.#logBytes += segment.body.length
    this.#commits += 1
  }

  /** Whether anything was appended that is not in the file. */
  #hasNews(): boolean {
    return this.#heldDenial !== null || this.#writers.length > 1 || this.#writers[0]!.count > this.#committed
  }

  async #write(group: CommitGroup): Promise<void> {
    // Who comes from here on is in the next group.
    this.#group = null
    if (this.#failure !== null) return group.reject(this.#failure)
    if (!this.#hasNews()) return group.resolve()
    try {
      await this.#writeLog(this.#closeSegments({ rolling: false }))
      group.resolve()
      if (this.#logBytes > Math.max(this.#compactBytes, this.#snapshotBytes * 2)) await this.#compact()
    } catch (error) {
      group.reject(this.#fail(error))
    }
  }

  async #compact(): Promise<void> {
    this.#requireOpen()
    try {
      const closed = this.#closeSegments({ rolling: true })
      this.#writers[0]!.isAfterSnapshot = true
      const state = this.#state.save({ idle: "dropped" })
      this.#state.load(state)
      const sequence = closed.at(-1)!.sequence
      const dropped = sequence - this.#historySegments
      const oldestSequence = Math.max(this.#oldestSequence, dropped + 1)
      const sealed = await this.#seal(closed)
      const snapshot = { sequence, oldestSequence, chainHash: sealed.at(-1)!.hash, state }
      const rows = await writeSnapshot(this.#port, snapshot, { metaHash: this.#metaHash, partBytes: this.#partBytes })
      const open = await this.#sealOpen()
      this.#requireOpen()
      this.#table.transaction(() => {
        for (const segment of sealed) {
          if (segment.sequence > dropped) this.#table.writeSegment(segment.sequence, segment.body)
        }
        this.#table.writeSegment(open.sequence, open.body)
        this.#table.replaceSnapshot(rows, dropped)
      })
      this.#committed = open.count
      this.#snapshotBytes = state.length
      this.#oldestSequence = oldestSequence
      this.#logBytes = 0
    } catch (error) {
      throw this.#fail(error)
    }
  }

  async #verify(): Promise<Verification> {
    this.#requireOpen()
    let rows: readonly LogRow[] = []
    let sequence: number
    let live: Uint8Array
    try {
      const closed = this.#closeSegments({ rolling: true })
      sequence = closed.at(-1)!.sequence
      live = this.#state.save({ idle: "kept" })
      await this.#writeLog(closed, () => {
        rows = this.#table.read()
      })
    } catch (error) {
      throw this.#fail(error)
    }
    const recovered = await recover(this.#port, this.#core, rows, { throughSequence: sequence })
    const replayed = recovered.state.save({ idle: "kept" })
    recovered.state.free()
    return {
      rows: recovered.rows,
      bytes: recovered.bytes,
      records: recovered.records,
      sequence,
      coveredSequence: recovered.coveredSequence,
      replayEqualsLive: sameBytes(live, replayed),
    }
  }

  /** Closes the ledger for good: what is in memory may not be in the file. */
  #fail(cause: unknown): SluiceError {
    this.#failure ??= cause instanceof SluiceError ? cause : new StoreUnavailable("a commit failed", { cause })
    return this.#failure
  }
}

function requireTime(nowMs: number): void {
  if (Number.isInteger(nowMs) && nowMs >= 0 && nowMs <= LATEST_MS) return
  throw new RangeError(`Cannot note time ${show(nowMs)}: allowed are whole milliseconds from 0 to ${LATEST_MS}.`)
}

function requireName(name: string): void {
  if (typeof name === "string" && name.length > 0 && name.length <= NAME_LENGTH_MAX && name.isWellFormed()) return
  throw new RangeError(
    `Cannot define limit ${show(name)}: its name is a well-formed text of 1 to ${NAME_LENGTH_MAX} characters.`,
  )
}

interface SealedSegment {
  readonly sequence: number
  readonly body: Uint8Array
  readonly hash: Uint8Array
}

/** The callers that wait for one commit. */
class CommitGroup {
  readonly done: Promise<void>
  resolve!: () => void
  reject!: (error: Error) => void

  constructor() {
    this.done = new Promise((resolve, reject) => {
      this.resolve = resolve
      this.reject = reject
    })
    // A caller that does not wait, such as an alarm, must not turn a failure into an unhandled rejection.
    this.done.catch(() => undefined)
  }
}
