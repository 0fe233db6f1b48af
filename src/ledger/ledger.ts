import { Core } from "../engine/core.js"
import type { LimitDecision } from "../engine/limit-decision.js"
import type { Policy } from "../policy/policy.js"
import { SluiceError, StoreCorrupt, StoreUnavailable, show } from "../types/errors.js"
import type { Receipt } from "../types/receipt.js"
import { Durability, type DurabilityOptions } from "./durability.js"
import { sameBytes } from "./envelope.js"
import { GroupCommit } from "./group-commit.js"
import { type LedgerCheck, requireCallId, requireGroup, requireName, requireTime } from "./ledger-input.js"
import { LedgerState, type StateOptions } from "./ledger-state.js"
import { type LogEnd, requireEnd } from "./log-end.js"
import { type LogPlace, LogReader, type PlacedRecord } from "./log-reader.js"
import { LogTable } from "./log-table.js"
import { type LogPosition, LogWriter } from "./log-writer.js"
import { newMeta, writeMeta } from "./meta.js"
import type { LedgerLimit } from "./own-limit.js"
import type { LogRecord, StoreRecord } from "./record.js"
import { recover } from "./recovery.js"
import { SegmentWriter } from "./segment.js"
import type { LedgerPort, LogRow } from "./sql-port.js"
import { SYNC_NUMBER } from "./sync-mode.js"

export interface LedgerOptions extends StateOptions, DurabilityOptions {
  /** The core that holds the state; one of its own if not given. Many small ledgers share one. */
  readonly core?: Core
  /** The time at which the ledger is opened, ms since the epoch; that of the last record if not given. */
  readonly openedAtMs?: number
  /** The log is compacted by itself when its segments that no snapshot covers have this many bytes. */
  readonly compactBytes?: number
  /** How many covered segments a compaction keeps as history. */
  readonly historySegments?: number
  /** How far the log is known to reach: one that ends before is refused. */
  readonly leastEnd?: LogEnd
  /** Hears how far the log reaches, after each commit and before who waits for it is told. */
  readonly onCommit?: (end: LogEnd) => void
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

/** A decision, and whether it must not be told before `commit()` has resolved. */
export interface LedgerAnswer {
  readonly decision: LimitDecision
  readonly needsCommit: boolean
}

const DEFAULT_COMPACT_BYTES = 64 * 1024
const DEFAULT_PART_BYTES = 1_000_000

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
  readonly #options: LedgerOptions
  readonly #writer: LogWriter
  readonly #commits: GroupCommit
  readonly #durability: Durability
  readonly #reader: LogReader
  #failure: SluiceError | null = null

  private constructor(
    port: LedgerPort,
    table: LogTable,
    core: Core,
    state: LedgerState,
    open: SegmentWriter,
    log: LogPosition,
    options: LedgerOptions,
  ) {
    this.#port = port
    this.#table = table
    this.#core = core
    this.#state = state
    this.#options = options
    this.#writer = new LogWriter(
      port,
      table,
      open,
      log,
      () => this.#requireOpen(),
      (end) => options.onCommit?.(end),
    )
    this.#commits = new GroupCommit(
      port,
      () => this.#write(),
      () => this.#compactIfLong(),
    )
    this.#durability = new Durability(port, this.#writer, () => this.commit(), options)
    this.#reader = new LogReader(port, table)
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
      const recovered = await recover(port, core, table.read(), stateOptions(options))
      const { sequence, count } = recovered.open
      if (options.leastEnd !== undefined) {
        try {
          requireEnd({ sequence, count, metaHash: recovered.metaHash }, options.leastEnd)
        } catch (error) {
          recovered.state.free()
          throw error
        }
      }
      const open = SegmentWriter.resume(recovered.open)
      const ledger = new Ledger(port, table, core, recovered.state, open, recovered, options)
      await ledger.#begin()
      return ledger
    }
    if (options.leastEnd !== undefined) throw new StoreCorrupt("the log", "it is missing")
    const meta = newMeta()
    const { body, hash } = await writeMeta(port, meta)
    const open = new SegmentWriter(1, hash)
    const segment = await open.seal(port, { isSealed: false })
    table.transaction(() => {
      table.create()
      table.writeMeta(body)
      table.writeSegment(1, segment.body)
    })
    const state = new LedgerState(core, meta.seed, meta.id, stateOptions(options))
    options.onCommit?.({ sequence: 1, count: 0, metaHash: hash })
    const empty = { metaHash: hash, logBytes: 0, snapshotBytes: 0, oldestSequence: 1 }
    const ledger = new Ledger(port, table, core, state, open, empty, options)
    await ledger.#begin()
    return ledger
  }

  /**
   * Notes under which way of syncing the log is written from here on, where that leaves something untold or the last
   * one did. What the last one had granted ahead and did not take back counts as used.
   */
  async #begin(): Promise<void> {
    const sync = SYNC_NUMBER[this.#durability.sync]
    if (sync === SYNC_NUMBER.always && this.#state.sync === SYNC_NUMBER.always) return
    const timeMs = this.#options.openedAtMs ?? this.#state.timeMs
    for (const limit of this.#state.limits) {
      for (const [key, units] of limit.ahead) {
        // No more than fits was admitted; one more, since what remains is told rounded down.
        const fits = Math.max(...limit.keys.status(key, timeMs).rules.map(({ remaining }) => remaining)) + 1
        this.charge(limit, key, Math.min(units, fits), timeMs)
      }
    }
    this.#noteStore("open", timeMs, sync)
    await this.commit()
  }

  #noteStore(op: "open" | "close", timeMs: number, sync: number): void {
    const record: StoreRecord = { op, timeMs, limit: 0, sync }
    this.#state.noteStore(record)
    this.#append(record)
  }

  /** Commits made since the ledger was opened. */
  get commits(): number {
    return this.#writer.commits
  }

  get limits(): readonly LedgerLimit[] {
    return this.#state.limits
  }

  limit(name: string): LedgerLimit | undefined {
    return this.#state.limit(name)
  }

  /** The limit that gave a receipt: `null` where it was removed, `undefined` where none of this ledger did. */
  limitOf(receipt: Receipt): LedgerLimit | null | undefined {
    const { id } = receipt
    const number = this.#state.numberOf(id)
    if (number === undefined) return undefined
    const limit = this.#state.limitAt(number)
    if (limit === undefined) return null
    return limit.keys.chargeOf(id) === null ? undefined : limit
  }

  /** The name of a limit by its number, while it is defined. */
  nameOf(number: number): string | undefined {
    return this.#state.limitAt(number)?.name
  }

  /** Whether the names of keys are kept. */
  get keepsNames(): boolean {
    return this.#state.keepsNames
  }

  /** The keys of a limit that were decided about, where names are kept. */
  namesOf({ number }: LedgerLimit): ReadonlySet<string> {
    return this.#state.limitAt(number)?.names ?? new Set()
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

  /** Forgets a limit and what was used of it. Its receipts cannot be settled any more. */
  remove(limit: LedgerLimit, nowMs: number): void {
    this.#requireOpen()
    requireTime(nowMs)
    this.#state.remove(limit)
    this.#append({ op: "remove", timeMs: nowMs, limit: limit.number })
  }

  /**
   * Asks and charges in memory. An admission must not be told before `commit()` has resolved where `needsCommit` says
   * so; a denial may be.
   *
   * @param id names the call: an admission under the same id and key is told again for five minutes, not made again
   * @throws {CostError} {KeyError} {RangeError}; then nothing has changed
   */
  check(limit: LedgerLimit, key: string, cost: number, nowMs: number, id?: string): LedgerAnswer {
    this.#requireOpen()
    const again = id === undefined ? null : this.#toldAgain(limit, key, nowMs, id)
    if (again !== null) return { decision: again, needsCommit: true }
    const decision = limit.keys.check(key, cost, nowMs)
    if (cost === 0) return { decision, needsCommit: false }
    if (!decision.allowed) return { decision, needsCommit: this.#denied(limit, decision, nowMs) }
    this.#append(this.#admission(limit, decision, nowMs, id))
    return { decision, needsCommit: this.#admissionWaits(limit, key, cost, nowMs) }
  }

  /** What `check` would say, charging nothing. @throws {CostError} {KeyError} {RangeError} */
  peek(limit: LedgerLimit, key: string, cost: number, nowMs: number, id?: string): LimitDecision {
    this.#requireOpen()
    return (id === undefined ? null : this.#toldAgain(limit, key, nowMs, id)) ?? limit.keys.peek(key, cost, nowMs)
  }

  /**
   * Asks and charges all or nothing: where one is denied, nothing is charged. What is admitted is in the file together.
   *
   * @param checks at least one, no limit and key twice
   * @returns an answer to each, in their order
   * @throws {CostError} {KeyError} {RangeError}; then nothing has changed
   */
  checkAll(checks: readonly LedgerCheck[], nowMs: number): readonly LedgerAnswer[] {
    this.#requireOpen()
    requireGroup(checks)
    const asked = checks.map(({ limit, key, cost }) => limit.keys.peek(key, cost, nowMs))
    if (asked.some(({ allowed }) => !allowed)) {
      return checks.map(({ limit, key, cost }, index) =>
        asked[index]!.allowed ? { decision: asked[index]!, needsCommit: false } : this.check(limit, key, cost, nowMs),
      )
    }
    const decisions = checks.map(({ limit, key, cost }) => limit.keys.check(key, cost, nowMs))
    const charged = checks.flatMap(({ limit, cost }, index) =>
      cost === 0 ? [] : [this.#admission(limit, decisions[index]!, nowMs)],
    )
    if (charged.length > 0) {
      this.#state.noteTime(nowMs)
      this.#commitIfLong(this.#writer.appendTogether(charged))
    }
    return checks.map(({ limit, key, cost }, index) => ({
      decision: decisions[index]!,
      needsCommit: cost > 0 && this.#admissionWaits(limit, key, cost, nowMs),
    }))
  }

  #toldAgain(limit: LedgerLimit, key: string, nowMs: number, id: string): LimitDecision | null {
    requireCallId(id)
    const told = this.#state.limitAt(limit.number)?.told.find(id, key, nowMs)
    return told === undefined ? null : limit.keys.again(key, told, nowMs)
  }

  /** The record of an admission, and what else is to be known of it. */
  #admission(limit: LedgerLimit, decision: LimitDecision, nowMs: number, id?: string): LogRecord {
    const { key, cost } = decision
    this.#state.noteName(limit, key)
    const record = { op: "admit", timeMs: nowMs, limit: limit.number, key, cost } as const
    if (id === undefined) return record
    const told = { id, key, cost, charge: limit.keys.charges, chargedAtMs: decision.receipt.chargedAtMs }
    this.#state.limitAt(limit.number)!.told.add(told, nowMs)
    return { ...record, id }
  }

  #admissionWaits(limit: LedgerLimit, key: string, cost: number, nowMs: number): boolean {
    return this.#durability.admissionWaits(limit, key, cost, (units) => {
      this.#state.limitAt(limit.number)!.ahead.set(key, units)
      this.#append({ op: "ahead", timeMs: nowMs, limit: limit.number, key, units })
    })
  }

  #denied(limit: LedgerLimit, { key, cost, reason }: LimitDecision, nowMs: number): boolean {
    // A denial that starts a block changes what comes after, so it is told like an admission.
    const startsBlock = reason === "limit" && limit.keys.policy.blockMs > 0
    this.#state.noteTime(nowMs)
    this.#state.noteName(limit, key)
    const record = { op: "deny", timeMs: nowMs, limit: limit.number, key, cost, count: 1, lastMs: nowMs } as const
    this.#commitIfLong(this.#writer.appendDenial(record, { merge: !startsBlock }))
    return startsBlock && this.#durability.changeWaits()
  }

  charge(limit: LedgerLimit, key: string, units: number, nowMs: number): void {
    this.#requireOpen()
    limit.keys.charge(key, units, nowMs)
    this.#appendOf(limit, { op: "charge", timeMs: nowMs, limit: limit.number, key, cost: units })
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
    this.#appendOf(limit, { op: "settle", timeMs: nowMs, limit: limit.number, key, units, chargedAtMs, charge })
    return true
  }

  block(limit: LedgerLimit, key: string, untilMs: number, nowMs: number): void {
    this.#requireOpen()
    limit.keys.block(key, untilMs, nowMs)
    this.#appendOf(limit, { op: "block", timeMs: nowMs, limit: limit.number, key, untilMs })
  }

  unblock(limit: LedgerLimit, key: string, nowMs: number): boolean {
    this.#requireOpen()
    requireTime(nowMs)
    const had = limit.keys.unblock(key)
    if (had) this.#appendOf(limit, { op: "unblock", timeMs: nowMs, limit: limit.number, key })
    return had
  }

  reset(limit: LedgerLimit, key: string, nowMs: number): boolean {
    this.#requireOpen()
    const had = limit.keys.reset(key, nowMs)
    this.#appendOf(limit, { op: "reset", timeMs: nowMs, limit: limit.number, key })
    return had
  }

  /**
   * Whether the answer to the change that was just made must wait for `commit()`. Under `batch` most need not.
   */
  changeWaits(): boolean {
    return this.#durability.changeWaits()
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

  /** Commits what is left, and frees the memory. Nothing may be asked afterwards. */
  async close(): Promise<void> {
    if (this.#failure === null) {
      if (this.#state.sync !== SYNC_NUMBER.always) this.#noteStore("close", this.#state.timeMs, SYNC_NUMBER.always)
      await this.commit()
    }
    await this.#commits.idle()
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
    this.#commitIfLong(this.#writer.append(record))
  }

  #appendOf(limit: LedgerLimit, record: Extract<LogRecord, { readonly key: string }>): void {
    this.#state.noteName(limit, record.key)
    this.#append(record)
  }

  /** What nobody commits, such as denials, must not fill the memory. */
  #commitIfLong(isLong: boolean): void {
    if (isLong) void this.commit()
  }

  async #write(): Promise<void> {
    this.#requireOpen()
    if (!this.#writer.hasNews) return
    await this.#orFail(() => this.#writer.write(this.#writer.close({ rolling: false })))
  }

  async #compactIfLong(): Promise<void> {
    const { compactBytes = DEFAULT_COMPACT_BYTES } = this.#options
    const { logBytes, snapshotBytes } = this.#writer
    if (logBytes <= Math.max(compactBytes, snapshotBytes * 2) || this.#failure !== null) return
    // What fails closes the ledger, and everybody learns it.
    await this.#compact().catch(() => undefined)
  }

  async #compact(): Promise<void> {
    this.#requireOpen()
    const { historySegments = 0, partBytes = DEFAULT_PART_BYTES } = this.#options
    await this.#orFail(async () => {
      const closed = this.#writer.close({ rolling: true })
      const state = this.#state.save({ idle: "dropped" })
      this.#state.load(state)
      this.#durability.restart()
      await this.#writer.writeSnapshot(closed, state, { historySegments, partBytes })
    })
  }

  async #verify(): Promise<Verification> {
    this.#requireOpen()
    let rows: readonly LogRow[] = []
    const { sequence, live } = await this.#orFail(async () => {
      const closed = this.#writer.close({ rolling: true })
      const live = this.#state.save({ idle: "kept" })
      await this.#writer.write(closed, () => {
        rows = this.#table.read()
      })
      return { sequence: closed.at(-1)!.sequence, live }
    })
    const { state, ...found } = await recover(this.#port, this.#core, rows, {
      throughSequence: sequence,
      ...stateOptions(this.#options),
    })
    const replayed = state.save({ idle: "kept" })
    state.free()
    return {
      rows: found.rows,
      bytes: found.bytes,
      records: found.records,
      sequence,
      coveredSequence: found.coveredSequence,
      replayEqualsLive: sameBytes(live, replayed),
    }
  }

  async #orFail<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      throw this.#fail(error)
    }
  }

  /** Closes the ledger for good: what is in memory may not be in the file. */
  #fail(cause: unknown): SluiceError {
    this.#failure ??= cause instanceof SluiceError ? cause : new StoreUnavailable("a commit failed", { cause })
    return this.#failure
  }
}

function stateOptions({ names, keepStatsMs }: LedgerOptions): StateOptions {
  return { ...(names === undefined ? {} : { names }), ...(keepStatsMs === undefined ? {} : { keepStatsMs }) }
}
