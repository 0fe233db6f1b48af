import type { Core } from "../engine/core.js"
import type { Seed } from "../engine/seed.js"
import { parsePolicy } from "../policy/parse-policy.js"
import type { Policy } from "../policy/policy.js"
import { LimitNotFound } from "../types/errors.js"
import { MalformedBytes } from "./byte-reader.js"
import { MAX_TOLD } from "./charge-gaps.js"
import { type LedgerLimit, type LimitHome, OwnLimit } from "./own-limit.js"
import { RecentTimes } from "./recent-times.js"
import type { CompactRecord, OpenRecord, StoreRecord } from "./record.js"
import { type SavedHead, StateSave } from "./state-save.js"
import { SYNC_NUMBER } from "./sync-mode.js"

/** What a state keeps beside the counts. */
export interface StateOptions {
  /** Whether the names of keys are kept, so that they can be listed. */
  readonly names?: boolean
  /** How long the statistics and the name of a key are kept after the last decision about it, ms. */
  readonly keepStatsMs?: number
}

/** Adds a limit that a snapshot tells of. @throws {MalformedBytes} where there is one of that number; {PolicyError} */
type AddLimit = (number: number, name: string, policy: string) => OwnLimit

/**
 * What a ledger knows, without the log: the limits and their keys. Everything that changes it is a record, and the
 * same records in the same order give the same state, bit for bit.
 */
export class LedgerState {
  readonly #home: LimitHome
  readonly #keepsNames: boolean
  readonly #keepStatsMs: number
  /** By number; a hole where a limit was removed. */
  readonly #limits: (OwnLimit | undefined)[] = []
  readonly #byName = new Map<string, OwnLimit>()
  /** The time of the last record. Not the latest of all: a clock that had jumped ahead must not count for years. */
  #nowMs = 0
  /** The time of the last record that does not tell of the store alone. */
  #usedAtMs = 0
  readonly #recent = new RecentTimes(this.#byName)
  /** No statistics are older than this: a compaction that keeps all since then need not look at them. */
  #statsSinceMs = Number.POSITIVE_INFINITY
  /** The number of the sync mode that the log is written under; 0 where everything that was answered is in it. */
  #sync = SYNC_NUMBER.always
  /**
   * Numbers of charges up to here may have been told by limits whose definition the log lacks: no new limit gives them.
   */
  #chargesAfter = 0

  constructor(
    core: Core,
    seed: Seed,
    issuerId: string,
    { names = false, keepStatsMs = Number.POSITIVE_INFINITY }: StateOptions = {},
  ) {
    this.#home = { core, seed, issuerId, saver: null }
    this.#keepsNames = names
    this.#keepStatsMs = keepStatsMs
  }

  get limits(): readonly OwnLimit[] {
    return [...this.#byName.values()]
  }

  get core(): Core {
    return this.#home.core
  }

  /** Numbers of limits that were given so far: the next limit gets this one. */
  get numbers(): number {
    return this.#limits.length
  }

  get keepsNames(): boolean {
    return this.#keepsNames
  }

  /** The number of the sync mode of the last one who opened the store and did not close it. */
  get sync(): number {
    return this.#sync
  }

  /** New limits number their charges above this number. */
  get chargesAfter(): number {
    return this.#chargesAfter
  }

  /** The time of the last record, ms since the epoch. */
  get timeMs(): number {
    return this.#nowMs
  }

  /** The time of the last record that is of a limit, ms since the epoch. A snapshot tells only that it is not later. */
  get usedAtMs(): number {
    return this.#usedAtMs
  }

  limit(name: string): OwnLimit | undefined {
    return this.#byName.get(name)
  }

  limitAt(number: number): OwnLimit | undefined {
    const limit = this.#limits[number]
    // A compaction that has begun forgets what it is to forget before the limit is looked at or changed.
    if (limit !== undefined) this.#home.saver?.begin(limit)
    return limit
  }

  /**
   * The limit that a caller's one stands for. Found by its number, since `askUnder` makes others of the same limit.
   *
   * @throws {LimitNotFound} where it was removed
   */
  own({ name, number }: LedgerLimit): OwnLimit {
    const limit = this.limitAt(number)
    if (limit === undefined) throw new LimitNotFound(name)
    return limit
  }

  /**
   * The limit that gave a receipt: `null` where it was removed, or a crash has lost it with the receipt; `undefined`
   * where none of this state did.
   */
  issuerOf({ id }: { readonly id: string }): OwnLimit | null | undefined {
    const number = this.#numberOf(id)
    if (number === undefined) return undefined
    const limit = this.limitAt(number)
    if (limit === undefined) return null
    return limit.openKeys().chargeNumberOf(id) === null ? undefined : limit
  }

  /** The number of the limit whose receipts have such an id: defined, removed or lost. */
  #numberOf(receiptId: string): number | undefined {
    // A receipt may come from outside, where types are not checked.
    const [, issuer, number] = /^([^.]+)\.(0|[1-9]\d{0,9})-/.exec(String(receiptId)) ?? []
    return issuer === this.#home.issuerId ? Number(number) : undefined
  }

  /** Whether a policy that is defined leaves the cells of a limit as they are, which has another one. */
  keepsCells(name: string, policy: Policy): boolean {
    return this.#byName.get(name)?.openKeys().computesAs(policy) === true
  }

  /** Defines a limit, or gives an existing one another policy in place. */
  define(name: string, policy: Policy, nowMs: number): OwnLimit {
    const known = this.#byName.get(name)
    if (known !== undefined) {
      known.change(policy, nowMs)
      return known
    }
    const limit = this.#add(this.numbers, name, policy)
    limit.skipCharges(this.#chargesAfter)
    return limit
  }

  #add(number: number, name: string, policy: Policy): OwnLimit {
    const limit = new OwnLimit(this.#home, number, name, policy)
    this.#limits[number] = limit
    this.#byName.set(name, limit)
    return limit
  }

  /**
   * Forgets a limit and its keys. Its number is not given again. @throws {LimitNotFound} where it was removed before
   */
  remove({ number, name }: LedgerLimit): void {
    const limit = this.#limits[number]
    if (limit === undefined) throw new LimitNotFound(name)
    if (this.#home.saver?.adopt(limit) !== true) limit.openKeys().free()
    this.#limits[number] = undefined
    this.#byName.delete(name)
  }

  /** Keeps the name of a key that was decided about, where names are kept. */
  noteName(limit: LedgerLimit, key: string): void {
    if (this.#keepsNames) this.own(limit).noteName(key)
  }

  /**
   * What opening the store records. One that was not closed may have told admissions that the log lacks: no charge gets
   * a number that one of theirs may have had.
   */
  openRecord(timeMs: number, sync: number): OpenRecord {
    let chargesAfter = this.#chargesAfter
    if (this.#sync !== SYNC_NUMBER.always) {
      for (const limit of this.#byName.values()) chargesAfter = Math.max(chargesAfter, limit.openKeys().charges)
      chargesAfter += MAX_TOLD
    }
    return { op: "open", timeMs, limit: 0, sync, chargesAfter }
  }

  /** Notes that the store is opened, or closed. @throws {MalformedBytes} where numbers of charges would come again */
  noteStore(record: StoreRecord): void {
    this.#noteRecords(record.timeMs, 1)
    if (record.op === "open") this.#noteOpen(record)
    for (const limit of this.#byName.values()) {
      if (limit.ahead !== null) this.#home.saver?.begin(limit)
      limit.ahead = null
    }
    this.#sync = record.sync
  }

  #noteOpen({ chargesAfter }: OpenRecord): void {
    if (chargesAfter < this.#chargesAfter) throw new MalformedBytes("numbers of charges go back")
    this.#chargesAfter = chargesAfter
    for (const limit of this.#byName.values()) limit.skipCharges(chargesAfter)
  }

  /** Notes records of a time that are of limits. */
  noteUse(timeMs: number, records = 1): void {
    this.#usedAtMs = timeMs
    this.#noteRecords(timeMs, records)
  }

  /**
   * Notes that a receipt was settled. Where the clock was set back, that counts at a time which is still to come, and
   * the store is no older for it.
   */
  noteSettlement(timeMs: number): void {
    this.#usedAtMs = timeMs
    this.#noteRecords(Math.min(timeMs, this.#nowMs), 1)
  }

  /** Notes records of more than one time that are of a limit. */
  noteUses({ earliestMs, lastMs }: { readonly earliestMs: number; readonly lastMs: number }, records: number): void {
    this.noteUse(earliestMs, records)
    this.#usedAtMs = lastMs
    this.#nowMs = lastMs
  }

  #noteRecords(timeMs: number, records: number): void {
    this.#nowMs = timeMs
    this.#recent.note(timeMs, records)
    if (timeMs < this.#statsSinceMs) this.#statsSinceMs = timeMs
  }

  /**
   * The record of a compaction that begins now. It tells by which times the state forgets
   *
   * - quotas that are full and blocks that have ended, at the earliest time of the records that came lately;
   * - receipts that are too old to be settled, at the time of the last record;
   * - statistics that are older than they are kept;
   * - all grants of units.
   *
   * The memory forgets what the snapshot leaves out, at the same record. Under 1/minute a key is used at 12:00:00, and
   * the snapshot of 12:10:00 leaves it out. Then the clock is set back to 12:00:30. Had the memory kept the key, it
   * would deny a check, and the log would not come out as recorded: a replay begins with the snapshot, and admits.
   */
  compactRecord(): CompactRecord {
    const timeMs = this.#nowMs
    const sinceMs = Math.max(0, Math.ceil(timeMs - this.#keepStatsMs))
    const statsSinceMs = sinceMs > this.#statsSinceMs ? sinceMs : 0
    return { op: "compact", timeMs, limit: 0, idleAtMs: Math.min(timeMs, this.#recent.earliestMs), statsSinceMs }
  }

  /** Forgets what a record tells, and begins to save the rest as it is then. */
  compact({ timeMs, idleAtMs, statsSinceMs }: CompactRecord): StateSave {
    this.#nowMs = timeMs
    const rules = { nowMs: timeMs, idleAtMs, statsSinceMs }
    this.#recent.restart(timeMs)
    if (statsSinceMs > 0) this.#statsSinceMs = statsSinceMs
    return new StateSave(this.#home, this.limits, this.#head, rules)
  }

  /** Begins to save it as it is now, forgetting nothing: for whoever compares it with another one. */
  saveAll(): StateSave {
    return new StateSave(this.#home, this.limits, this.#head, null)
  }

  get #head(): SavedHead {
    return { timeMs: this.#nowMs, sync: this.#sync, numbers: this.numbers, chargesAfter: this.#chargesAfter }
  }

  /**
   * Becomes what a snapshot tells, in the steps of `addAll`.
   *
   * @param addAll adds its limits, each by its number, name and policy, in whatever order
   * @throws {MalformedBytes} {PolicyError} where they cannot be a state's
   */
  *restore(
    { timeMs, sync, numbers, chargesAfter }: SavedHead,
    addAll: (add: AddLimit) => Generator<number, void>,
  ): Generator<number, void> {
    // Nobody knows how old the statistics are, before they are looked at.
    this.#statsSinceMs = 0
    this.#nowMs = timeMs
    this.#usedAtMs = timeMs
    this.#recent.restart(timeMs)
    this.#sync = sync
    this.#chargesAfter = chargesAfter
    const limits: OwnLimit[] = []
    yield* addAll((number, name, policy) => {
      if (this.#limits[number] !== undefined) throw new MalformedBytes("a limit comes twice")
      const limit = this.#add(number, name, parsePolicy(policy))
      limits.push(limit)
      return limit
    })
    this.#byName.clear()
    for (const limit of limits.sort((a, b) => a.number - b.number)) this.#byName.set(limit.name, limit)
    // Numbers of limits that were removed are not given again.
    this.#limits.length = Math.max(this.#limits.length, numbers)
  }

  /** Frees the memory at once. */
  free(): void {
    this.#home.saver?.free()
    for (const limit of this.#byName.values()) limit.openKeys().free()
  }
}
