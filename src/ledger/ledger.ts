import { Core } from "../engine/core.js"
import type { LimitDecision } from "../engine/limit-decision.js"
import type { ChargedAdmission } from "../engine/named-admissions.js"
import { foreignReceipt } from "../engine/receipt-id.js"
import { settlesAtMs } from "../engine/settlement.js"
import type { Policy } from "../policy/policy.js"
import { StoreUnavailable, show } from "../types/errors.js"
import type { Receipt } from "../types/receipt.js"
import type { Compaction } from "../types/storage-report.js"
import type { CallName } from "./call-name.js"
import { Durability } from "./durability.js"
import { type LedgerCheck, requireGroup, requireName, requireTime } from "./ledger-input.js"
import { LedgerLog, type LedgerLogInput } from "./ledger-log.js"
import type { LedgerOptions } from "./ledger-options.js"
import { LedgerRecords } from "./ledger-records.js"
import type { LedgerState } from "./ledger-state.js"
import type { Loss } from "./log-failure.js"
import type { LogPlace, PlacedRecord } from "./log-reader.js"
import { LogTable } from "./log-table.js"
import { openLog } from "./open-log.js"
import type { ChargedReceipt, LedgerLimit } from "./own-limit.js"
import type { LogRecord } from "./record.js"
import type { LedgerPort } from "./sql-port.js"
import type { Verification } from "./verification.js"
import { withMemory } from "./with-memory.js"

/** A decision, and whether it must not be told before `commit()` has resolved. */
export interface LedgerAnswer {
  readonly decision: LimitDecision
  readonly needsCommit: boolean
}

/**
 * Decisions made durable: the core, and an append log in SQLite.
 *
 * A verb decides at once in memory and appends a record; `commit()` gives a promise that resolves when everything
 * appended so far is in the file. All records that come while a commit is under way share the next one. Denials are
 * recorded too, but ride along: only one that changes what comes after, since it starts a block or moves its key back
 * where the clock was set back, asks for a commit.
 *
 * A commit that fails leaves the memory ahead of the log: the ledger is then closed, its callers get
 * `StoreUnavailable`, and a new one must be opened.
 */
export class Ledger {
  readonly #port: LedgerPort
  readonly #state: LedgerState
  readonly #log: LedgerLog
  readonly #durability: Durability
  readonly #records: LedgerRecords

  private constructor(input: Omit<LedgerLogInput, "onRestart">) {
    const { port, state, options } = input
    this.#port = port
    this.#state = state
    this.#log = new LedgerLog({ ...input, onRestart: () => this.#durability.restart() })
    this.#durability = new Durability({
      port,
      writer: this.#log.writer,
      options,
      commit: () => this.commit(),
      // A timer may come after the end.
      takeBack: (idle, areLast) => {
        return this.isOpen && this.#records.takeBack(idle, areLast)
      },
    })
    this.#records = new LedgerRecords(state, this.#log, this.#durability)
  }

  /**
   * Opens the log, or starts one where there is none.
   *
   * @throws {StoreCorrupt} {StoreVersion}; {RangeError} where the time cannot be; then nothing was written
   */
  static async open(port: LedgerPort, options: LedgerOptions = {}): Promise<Ledger> {
    if (options.openedAtMs !== undefined) requireTime(options.openedAtMs)
    const table = new LogTable(port.sql)
    const core = options.core ?? new Core()
    const opened = await openLog(port, table, core, options)
    const ledger = new Ledger({ port, table, core, options, ...opened })
    if (opened.leftIds.length > 0) await ledger.#log.dropLeft(opened.leftIds)
    if (ledger.#records.begin(options.openedAtMs ?? ledger.#state.timeMs)) await ledger.commit()
    return ledger
  }

  /** @throws {StoreUnavailable} where this ledger was closed, or a commit has failed */
  #requireOpen(): void {
    this.#log.failure.requireOpen()
  }

  /** @throws {StoreUnavailable} where this ledger is not open; {LimitNotFound} where the limit was removed */
  #require(limit: LedgerLimit): void {
    this.#requireOpen()
    this.#state.own(limit)
  }

  /** Commits made since the ledger was opened. */
  get commits(): number {
    return this.#log.writer.commits
  }

  /** The time of the last record of a limit, ms since the epoch; 0 where there is none. */
  get usedAtMs(): number {
    return this.#state.usedAtMs
  }

  get limits(): readonly LedgerLimit[] {
    return this.#state.limits
  }

  limit(name: string): LedgerLimit | undefined {
    return this.#state.limit(name)
  }

  /** The limit that gave a receipt: `null` where it was removed or lost, `undefined` where none of this ledger did. */
  limitOf(receipt: Receipt): LedgerLimit | null | undefined {
    return this.#state.issuerOf(receipt)
  }

  /**
   * Whether a receipt is closed, settled or not: by its time, or since its key was reset.
   *
   * @throws {LimitNotFound}; {RangeError} where it is of another limit
   */
  isClosed(limit: LedgerLimit, receipt: Receipt): boolean {
    const { receipts } = this.#state.own(limit)
    const { key, chargedAtMs, chargeNumber } = chargedReceipt(limit, receipt)
    return chargedAtMs < receipts.closedBeforeMs || receipts.resets.has(key, chargeNumber)
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
  namesOf({ number }: LedgerLimit): Iterable<string> & { readonly size: number } {
    return this.#state.limitAt(number)?.names ?? new Set()
  }

  /**
   * Defines a limit, or puts another policy in its place: what was used stays used.
   *
   * @param name 1 … 512 characters, well-formed
   * @throws {RangeError} where the name or the time cannot be, {StoreUnavailable}; then nothing has changed
   */
  define(name: string, policy: Policy, nowMs: number): LedgerLimit {
    this.#requireOpen()
    requireName(name)
    requireTime(nowMs)
    const known = this.#state.limit(name)
    if (known !== undefined && known.policy.canonical === policy.canonical) return known
    const keepsCells = this.#state.keepsCells(name, policy)
    const limit = withMemory(this.#state.core, () => this.#state.define(name, policy, nowMs))
    this.#records.definition(limit, nowMs, { keepsCells })
    return limit
  }

  /**
   * Whether a policy was put in place that is not in the file yet. What is answered under it may ask for no commit, as
   * a denial does not: then the policy would be lost with this ledger.
   */
  get lacksDefinition(): boolean {
    return this.#log.writer.lacksDefinition
  }

  /** Asks a limit as if it had another policy; the limit itself stays as it is. Costs the number of keys. */
  askUnder<T>(limit: LedgerLimit, policy: Policy, nowMs: number, question: (asked: LedgerLimit) => T): T {
    this.#requireOpen()
    const { name, number } = limit
    const keys = this.#state.own(limit).keysUnder(policy, nowMs)
    try {
      return question({ name, number, policy, size: keys.size, openKeys: () => keys })
    } finally {
      keys.free()
    }
  }

  /** Forgets a limit and what was used of it. Its receipts cannot be settled any more. @throws {LimitNotFound} */
  remove(limit: LedgerLimit, nowMs: number): void {
    this.#requireOpen()
    requireTime(nowMs)
    this.#state.remove(limit)
    this.#records.append({ op: "remove", timeMs: nowMs, limit: limit.number })
  }

  /**
   * Asks and charges in memory. An admission must not be told before `commit()` has resolved where `needsCommit` says
   * so; most denials may be.
   *
   * @param id names the call: an admission under the same id and key is told again for five minutes, not made again,
   *   unless its receipt was settled. At most 65,536 that callers gave are remembered for each limit, and 8,192 others;
   *   beyond that the oldest of the same kind goes first
   * @throws {CostError} {KeyError} {LimitNotFound}; {RangeError} also where the id was admitted with another cost;
   *   {StoreUnavailable} also where there is no memory for the key; then nothing has changed
   */
  check(limit: LedgerLimit, key: string, cost: number, nowMs: number, id?: CallName): LedgerAnswer {
    this.#require(limit)
    const again = id === undefined ? null : this.#toldAgain(limit, key, cost, nowMs, id)
    if (again !== null) return { decision: again, needsCommit: true }
    const keys = limit.openKeys()
    const { heals } = keys
    const decision = keys.check(key, cost, nowMs)
    if (cost === 0) return { decision, needsCommit: false }
    if (!decision.allowed) {
      const needsCommit = this.#records.denial(limit, decision, nowMs, { healsKey: keys.heals !== heals })
      return { decision, needsCommit }
    }
    this.#records.append(this.#records.admission(limit, decision, nowMs, id))
    return { decision, needsCommit: this.#records.admissionWaits(limit, key, cost, nowMs) }
  }

  /**
   * What `check` would say, charging nothing. An admission that it tells again must not be told before `commit()` has
   * resolved either: were it lost, its receipt's number would be given again, and would settle another charge.
   *
   * @throws {CostError} {KeyError} {LimitNotFound} {RangeError}
   */
  peek(limit: LedgerLimit, key: string, cost: number, nowMs: number, id?: CallName): LedgerAnswer {
    this.#require(limit)
    const again = id === undefined ? null : this.#toldAgain(limit, key, cost, nowMs, id)
    if (again !== null) return { decision: again, needsCommit: true }
    return { decision: limit.openKeys().peek(key, cost, nowMs), needsCommit: false }
  }

  /**
   * Asks and charges all or nothing: where one is denied, nothing is charged. What is admitted is in the file together.
   * What was admitted under its id before is told again.
   *
   * @param checks at least one, no limit and key twice
   * @returns an answer to each, in their order
   * @throws {CostError} {KeyError} {LimitNotFound} {RangeError} of the first check that cannot be, {StoreUnavailable};
   *   then nothing has changed
   */
  checkAll(checks: readonly LedgerCheck[], nowMs: number): readonly LedgerAnswer[] {
    this.#requireOpen()
    requireGroup(checks)
    const asked = checks.map(({ limit, key, cost, id }) => this.peek(limit, key, cost, nowMs, id))
    if (asked.some(({ decision }) => !decision.allowed)) {
      return checks.map(({ limit, key, cost, id }, index) =>
        asked[index]!.decision.allowed ? asked[index]! : this.check(limit, key, cost, nowMs, id),
      )
    }
    const decisions = this.#chargeAll(checks, asked, nowMs)
    return checks.map(({ limit, key, cost }, index) => ({
      decision: decisions[index]!,
      needsCommit: asked[index]!.needsCommit || (cost > 0 && this.#records.admissionWaits(limit, key, cost, nowMs)),
    }))
  }

  /** Charges what is not told again, where nothing is denied: all or, where there is no memory for a key, nothing. */
  #chargeAll(checks: readonly LedgerCheck[], asked: readonly LedgerAnswer[], nowMs: number): readonly LimitDecision[] {
    const records: LogRecord[] = []
    const charged: { readonly limit: LedgerLimit; readonly decision: LimitDecision }[] = []
    let decisions: readonly LimitDecision[]
    try {
      decisions = checks.map(({ limit, key, cost, id }, index) => {
        // Of what was only asked, no more than an admission that is told again waits for a commit.
        if (asked[index]!.needsCommit) return asked[index]!.decision
        const decision = limit.openKeys().check(key, cost, nowMs)
        if (cost === 0) return decision
        charged.push({ limit, decision })
        records.push(this.#records.admission(limit, decision, nowMs, id))
        return decision
      })
    } catch (error) {
      // Those before it are charged in memory: the log tells so, and that they were given back.
      this.#records.appendTogether(records, nowMs)
      for (const { limit, decision } of charged) {
        this.#settle(limit, chargedReceipt(limit, decision.receipt!), decision.cost, nowMs)
      }
      throw error
    }
    this.#records.appendTogether(records, nowMs)
    return decisions
  }

  /** What the call under an id was charged, while its admission would be told again. @throws {RangeError} */
  costUnder(limit: LedgerLimit, key: string, nowMs: number, id: CallName): number | undefined {
    return this.#admissionUnder(limit, key, null, nowMs, id)?.cost
  }

  #toldAgain(limit: LedgerLimit, key: string, cost: number, nowMs: number, id: CallName): LimitDecision | null {
    const admission = this.#admissionUnder(limit, key, cost, nowMs, id)
    return admission === undefined ? null : limit.openKeys().again(key, admission, nowMs)
  }

  #admissionUnder(
    limit: LedgerLimit,
    key: string,
    cost: number | null,
    nowMs: number,
    id: CallName,
  ): ChargedAdmission | undefined {
    return this.#state.own(limit).admissionUnder(id, key, cost, nowMs)
  }

  charge(limit: LedgerLimit, key: string, units: number, nowMs: number): void {
    this.#require(limit)
    limit.openKeys().charge(key, units, nowMs)
    this.#records.appendOf(limit, { op: "charge", timeMs: nowMs, limit: limit.number, key, cost: units })
  }

  /**
   * Settles a receipt once.
   *
   * @returns false where it was settled before, is too old, its key was reset since, its charge may be one that a crash
   * lost, or nothing can come back until the clock has come to its charge again; then nothing has changed
   * @throws {LimitNotFound} {KeyError} {RangeError} where the receipt is not of this limit or cannot be,
   * {StoreUnavailable} also where too many are settled until a compaction forgets the oldest; then nothing has changed
   */
  settle(limit: LedgerLimit, receipt: Receipt, units: number, nowMs: number): boolean {
    this.#requireOpen()
    const charged = chargedReceipt(limit, receipt)
    const own = this.#state.own(limit)
    if (own.receipts.isFull && own.isOpen(charged, nowMs))
      throw new StoreUnavailable(`too many receipts of the limit ${show(limit.name)} are settled`)
    const atMs = settlesAtMs(limit.openKeys(), charged, units, nowMs)
    return atMs !== null && this.#settle(limit, charged, units, atMs)
  }

  /** `settle`, however many are settled. */
  #settle(limit: LedgerLimit, charged: ChargedReceipt, units: number, nowMs: number): boolean {
    if (!this.#state.own(limit).settle(charged, units, nowMs)) return false
    const { key, chargedAtMs, chargeNumber } = charged
    this.#records.appendOf(limit, {
      op: "settle",
      timeMs: nowMs,
      limit: limit.number,
      key,
      units,
      chargedAtMs,
      chargeNumber,
    })
    return true
  }

  block(limit: LedgerLimit, key: string, untilMs: number, nowMs: number): void {
    this.#require(limit)
    limit.openKeys().block(key, untilMs, nowMs)
    this.#records.appendOf(limit, { op: "block", timeMs: nowMs, limit: limit.number, key, untilMs })
  }

  /** Ends a block. Whether one was in force: one that ended by itself is forgotten too. */
  unblock(limit: LedgerLimit, key: string, nowMs: number): boolean {
    this.#require(limit)
    requireTime(nowMs)
    const untilMs = limit.openKeys().blockedUntilMs(key)
    if (untilMs > nowMs) {
      limit.openKeys().unblock(key, nowMs)
      this.#records.appendOf(limit, { op: "unblock", timeMs: nowMs, limit: limit.number, key })
      return true
    }
    // One that ended by itself is held until it is swept, and a clock that is set back must not bring it back. Nothing
    // happened to the key, so the record is another one.
    if (untilMs > 0) this.block(limit, key, 0, nowMs)
    return false
  }

  reset(limit: LedgerLimit, key: string, nowMs: number): boolean {
    this.#require(limit)
    const had = this.#state.own(limit).reset(key, nowMs)
    this.#records.appendOf(limit, { op: "reset", timeMs: nowMs, limit: limit.number, key })
    return had
  }

  /**
   * Whether the answer to the change that was just made must wait for `commit()`. Under `batch` most need not.
   */
  changeWaits(): boolean {
    return this.#durability.changeWaits(this.#state.timeMs)
  }

  /**
   * Resolves once the callers that are ready now have been heard: for whoever looks at much.
   *
   * @throws {StoreUnavailable} where this ledger was closed meanwhile
   */
  async nextTurn(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#port.defer(resolve)
    })
    this.#requireOpen()
  }

  /**
   * Resolves when everything appended so far is in the file. @throws {StoreUnavailable} where it could not be written
   */
  commit(): Promise<void> {
    return this.#log.commit()
  }

  /** The last records that `wants` picks, the newest first. @throws {StoreCorrupt} {StoreUnavailable} */
  lastRecords(count: number, wants: (record: LogRecord) => boolean): Promise<readonly LogRecord[]> {
    return this.#log.lastRecords(count, wants)
  }

  /**
   * Every record from a place on that the log has once it is committed, in order. @throws {StoreCorrupt}
   * {StoreUnavailable}
   */
  records(place?: LogPlace): AsyncGenerator<PlacedRecord, void, undefined> {
    return this.#log.records(place)
  }

  /**
   * Puts a snapshot of the state in place of the segments that led to it, while checks and commits go on.
   *
   * @throws {StoreUnavailable} also where there is no memory or room for it: then the log goes on as it is
   */
  compact(): Promise<Compaction> {
    return this.#log.compact()
  }

  /**
   * Reads the whole log anew, up to now, and compares what it replays to with the live state of now, while checks and
   * commits go on.
   *
   * @throws {StoreCorrupt} {StoreVersion} where the log is not what was written
   */
  verify(): Promise<Verification> {
    return this.#log.verify()
  }

  /** Why the last compaction was given up; `null` where it was not. */
  get compactionProblem(): StoreUnavailable | null {
    return this.#log.compactionProblem
  }

  /** Whether it can still be asked: not closed, and no commit has failed. */
  get isOpen(): boolean {
    return this.#log.failure.cause === null
  }

  /** Tells once what a commit that failed has lost; `null` where nothing. */
  takeLoss(): Loss | null {
    return this.#log.failure.takeLoss()
  }

  /** Commits what is left, and frees the memory. Nothing may be asked afterwards. */
  async close(): Promise<void> {
    if (this.isOpen) {
      this.#records.end()
      await this.commit()
    }
    await this.#log.end()
    this.abandon()
  }

  /** Frees the memory without a commit: what was not committed is lost. Nothing may be asked afterwards. */
  abandon(): void {
    this.#log.failure.shut()
    this.#state.free()
  }
}

/** A receipt with its number. @throws {RangeError} where it is of another limit */
function chargedReceipt(limit: LedgerLimit, { id, key, chargedAtMs }: Receipt): ChargedReceipt {
  const chargeNumber = limit.openKeys().chargeNumberOf(id)
  if (chargeNumber === null) throw foreignReceipt(id)
  return { key, chargedAtMs, chargeNumber }
}
