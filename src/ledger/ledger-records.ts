import type { LimitDecision } from "../engine/limit-decision.js"
import type { IdleKey } from "./ahead-grants.js"
import { type CallName, recordedName } from "./call-name.js"
import type { Durability } from "./durability.js"
import type { LedgerLog } from "./ledger-log.js"
import type { LedgerState } from "./ledger-state.js"
import type { LedgerLimit } from "./own-limit.js"
import type { LogRecord, StoreRecord } from "./record.js"
import { SYNC_NUMBER } from "./sync-mode.js"

/**
 * Writes down what a ledger has decided: appends the record, notes what the state keeps beside the counts, and tells
 * whether the answer waits for the commit.
 */
export class LedgerRecords {
  readonly #state: LedgerState
  readonly #log: LedgerLog
  readonly #durability: Durability

  constructor(state: LedgerState, log: LedgerLog, durability: Durability) {
    this.#state = state
    this.#log = log
    this.#durability = durability
  }

  /**
   * Records the sync mode from here on. Not needed where this mode and the last are `always`, or `ahead` before its
   * first grant: then the log lacks nothing that was answered. Units that were granted and not taken back count as
   * used.
   *
   * @returns whether anything was recorded
   */
  begin(timeMs: number): boolean {
    const sync = this.#durability.sync === "batch" ? SYNC_NUMBER.batch : SYNC_NUMBER.always
    if (sync === SYNC_NUMBER.always && this.#state.sync === SYNC_NUMBER.always) return false
    for (const limit of this.#state.limits) {
      for (const [key, granted] of limit.ahead ?? []) {
        // No more can have been admitted than fits; one more, since what remains is rounded down.
        const fits =
          Math.max(
            ...limit
              .openKeys()
              .status(key, timeMs)
              .rules.map(({ remaining }) => remaining),
          ) + 1
        const units = Math.min(granted, fits)
        limit.openKeys().charge(key, units, timeMs)
        this.appendOf(limit, { op: "charge", timeMs, limit: limit.number, key, cost: units })
      }
    }
    this.#appendStore(this.#state.openRecord(timeMs, sync))
    return true
  }

  /** Records that the log lacks nothing that was answered, where the sync mode allowed it to. Whether it did. */
  end(): boolean {
    const { sync, timeMs } = this.#state
    if (sync === SYNC_NUMBER.always) return false
    this.#appendStore({ op: "close", timeMs, limit: 0, sync: SYNC_NUMBER.always })
    return true
  }

  #appendStore(record: StoreRecord): void {
    this.#state.noteStore(record)
    this.#log.writer.append(record)
    this.#commitIfLong()
  }

  #commitIfLong(): void {
    if (this.#log.writer.isLong) void this.#log.commit()
  }

  append(record: LogRecord): void {
    if (record.op === "settle") this.#state.noteSettlement(record.timeMs)
    else this.#state.noteUse(record.timeMs)
    this.#log.writer.append(record)
    this.#commitIfLong()
  }

  /** Appends a record of a key, whose name is noted. */
  appendOf(limit: LedgerLimit, record: Extract<LogRecord, { readonly key: string }>): void {
    this.#state.noteName(limit, record.key)
    this.append(record)
  }

  /** Appends records that are in the file together, or not at all. */
  appendTogether(records: readonly LogRecord[], nowMs: number): void {
    if (records.length === 0) return
    this.#state.noteUse(nowMs, records.length)
    this.#log.writer.appendTogether(records)
    this.#commitIfLong()
  }

  /** The record of an admission, and what else is to be known of it. */
  admission(limit: LedgerLimit, decision: LimitDecision, nowMs: number, name?: CallName): LogRecord {
    const { key, cost } = decision
    this.#state.noteName(limit, key)
    const record = { op: "admit", timeMs: nowMs, limit: limit.number, key, cost } as const
    if (name === undefined) return record
    const id = recordedName(name)
    const { charges: chargeNumber } = limit.openKeys()
    const { chargedAtMs } = decision.receipt!
    this.#state.own(limit).admissionsLike(id).add({ id, key, cost, chargeNumber, calledAtMs: nowMs, chargedAtMs })
    return { ...record, id }
  }

  /** The record of a limit that was defined, or got another policy. */
  definition(limit: LedgerLimit, nowMs: number, { keepsCells }: { readonly keepsCells: boolean }): void {
    const { name, number, policy } = limit
    const record = { op: "define", timeMs: nowMs, limit: number, name, policy: policy.canonical } as const
    this.append(keepsCells ? { ...record, keepsCells } : record)
    this.#durability.shrinkGrants(limit, (key, units) => this.#grantAhead(limit, key, units, nowMs))
    this.#log.writer.noteDefinition()
  }

  #grantAhead(limit: LedgerLimit, key: string, units: number, nowMs: number): void {
    if (this.#state.sync === SYNC_NUMBER.always) {
      this.#appendStore(this.#state.openRecord(nowMs, SYNC_NUMBER.ahead))
    }
    this.#state.own(limit).grantAhead(key, units)
    this.append({ op: "ahead", timeMs: nowMs, limit: limit.number, key, units })
  }

  /**
   * Records that grants of units are taken back: each by itself or, where they are the last, all. Whether there was
   * one.
   */
  takeBack(idle: readonly IdleKey[], areLast: boolean): boolean {
    if (areLast) return this.end()
    const { timeMs } = this.#state
    let tookAny = false
    for (const [{ number }, key] of idle) {
      const limit = this.#state.limitAt(number)
      // One that was removed took its grants along.
      if (limit === undefined) continue
      limit.grantAhead(key, 0)
      this.append({ op: "ahead", timeMs, limit: number, key, units: 0 })
      tookAny = true
    }
    return tookAny
  }

  /** Whether the answer to an admission, whose record was just appended, waits for a commit. */
  admissionWaits(limit: LedgerLimit, key: string, cost: number, nowMs: number): boolean {
    return this.#durability.admissionWaits(limit, key, cost, nowMs, (units) => {
      this.#grantAhead(limit, key, units, nowMs)
    })
  }

  /**
   * Appends a denial. Whether its answer waits for a commit: one that starts a block, or moves its key back, changes
   * what comes after, as an admission does.
   *
   * @param healsKey whether it moved the key back, to a clock that was set back: the wait that it tells begins with it
   */
  denial(
    limit: LedgerLimit,
    { key, cost, reason }: LimitDecision,
    nowMs: number,
    { healsKey }: { readonly healsKey: boolean },
  ): boolean {
    const changes = healsKey || (reason === "limit" && limit.policy.blockMs > 0)
    this.#state.noteUse(nowMs)
    this.#state.noteName(limit, key)
    const record = { op: "deny", timeMs: nowMs, limit: limit.number, key, cost, count: 1, lastMs: nowMs } as const
    this.#log.writer.appendDenial(record, { merge: !changes })
    this.#commitIfLong()
    if (changes) return this.#durability.changeWaits(nowMs)
    this.#durability.flushIfDue(nowMs)
    return false
  }
}
