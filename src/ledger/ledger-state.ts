import type { Core } from "../engine/core.js"
import { UNITS_MAX } from "../engine/core-exports.js"
import type { Seed } from "../engine/seed.js"
import { settleWithinMs } from "../engine/settled-receipts.js"
import { checkWhole } from "../policy/check-fields.js"
import { parsePolicy } from "../policy/parse-policy.js"
import type { Policy } from "../policy/policy.js"
import { ByteReader, MalformedBytes } from "./byte-reader.js"
import { FORMAT } from "./envelope.js"
import { type LedgerLimit, type LimitHome, OwnLimit } from "./own-limit.js"
import type { CompactRecord, LogRecord, StoreRecord } from "./record.js"
import { loadOldLimit, loadPiece } from "./saved-limit.js"
import { StateSave } from "./state-save.js"
import { SYNC_NUMBER } from "./sync-mode.js"

/** What a state keeps beside the counts. */
export interface StateOptions {
  /** Whether the names of keys are kept, so that they can be listed. */
  readonly names?: boolean
  /** How long the statistics and the name of a key are kept after the last decision about it, ms. */
  readonly keepStatsMs?: number
  /** Whether idle cells are dropped as a table grows too, as in formats 1 and 2. */
  readonly dropsOnGrowth?: boolean
}

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
  /**
   * The earliest time of the records since the last compaction began, and of the last one before it. A clock that is ahead may
   * come back: what was used at this time is not idle yet.
   */
  #earliestMs = Number.POSITIVE_INFINITY
  /** No statistics are of before: so long as they are to be kept since then, none need be looked at. */
  #statsSinceMs = Number.POSITIVE_INFINITY
  /** The last save, which may be under way. */
  #save: StateSave | null = null
  /** Under which way of syncing the log is being written; 0 where everything that was told is in it. */
  #sync = SYNC_NUMBER.always

  constructor(
    core: Core,
    seed: Seed,
    issuerId: string,
    { names = false, keepStatsMs = Number.POSITIVE_INFINITY, dropsOnGrowth = false }: StateOptions = {},
  ) {
    this.#home = { core, seed, issuerId, dropsOnGrowth, saver: null }
    this.#keepsNames = names
    this.#keepStatsMs = keepStatsMs
  }

  get limits(): readonly OwnLimit[] {
    return [...this.#byName.values()]
  }

  get core(): Core {
    return this.#home.core
  }

  get keepsNames(): boolean {
    return this.#keepsNames
  }

  /** The number of the way of syncing that the last one who opened the store and did not close it had. */
  get sync(): number {
    return this.#sync
  }

  /** The time of the last record, ms since the epoch. */
  get timeMs(): number {
    return this.#nowMs
  }

  limit(name: string): OwnLimit | undefined {
    return this.#byName.get(name)
  }

  limitAt(number: number): OwnLimit | undefined {
    const limit = this.#limits[number]
    // Whoever looks at it, or changes it, finds it as a compaction that has begun leaves it.
    if (limit !== undefined) this.#home.saver?.begin(limit)
    return limit
  }

  /** The number of the limit whose receipts have such an id, defined or removed. */
  numberOf(receiptId: string): number | undefined {
    // A receipt may come from outside, where types are not checked.
    const [, issuer, number] = /^([^.]+)\.(0|[1-9]\d{0,9})-/.exec(String(receiptId)) ?? []
    return issuer === this.#home.issuerId && Number(number) < this.#limits.length ? Number(number) : undefined
  }

  /** Defines a limit, or gives an existing one another policy in place. */
  define(name: string, policy: Policy, nowMs: number): OwnLimit {
    const known = this.#byName.get(name)
    if (known === undefined) return this.#add(this.#limits.length, name, policy)
    known.change(policy, nowMs)
    return known
  }

  #add(number: number, name: string, policy: Policy): OwnLimit {
    const limit = new OwnLimit(this.#home, number, name, policy)
    this.#limits[number] = limit
    this.#byName.set(name, limit)
    return limit
  }

  /** Forgets a limit and its keys. Its number is not given again. */
  remove({ number, name }: LedgerLimit): void {
    const limit = this.#limits[number]
    if (limit !== undefined && this.#save?.adopt(limit) !== true) limit.keys.free()
    this.#limits[number] = undefined
    this.#byName.delete(name)
  }

  /** Keeps the name of a key that was decided about, where names are kept. */
  noteName({ number }: LedgerLimit, key: string): void {
    if (this.#keepsNames) this.limitAt(number)!.noteName(key)
  }

  /**
   * Settles a receipt once: gives units back or, where they are negative, charges more.
   *
   * @returns false where it was settled before or is too old
   * @throws {KeyError} {RangeError} where the receipt or an argument cannot be; then nothing has changed
   */
  settle(
    { number, keys }: LedgerLimit,
    receipt: { readonly id: string; readonly key: string; readonly chargedAtMs: number },
    units: number,
    nowMs: number,
  ): boolean {
    const { key, chargedAtMs } = receipt
    checkWhole("settle", "units", units, -UNITS_MAX, UNITS_MAX)
    // Giving nothing back changes nothing and asks the core about the key and both times.
    keys.refund(key, 0, chargedAtMs, nowMs)
    const { receipts } = this.limitAt(number)!
    if (!receipts.add(receipt, nowMs, settleWithinMs(keys.policy))) return false
    if (units > 0) keys.refund(key, units, chargedAtMs, nowMs)
    else if (units < 0) keys.charge(key, -units, nowMs)
    return true
  }

  /**
   * Notes that the store is opened, or closed. One that was not closed may have told admissions that are not in the
   * log: their receipts, and with them all of before, cannot be settled any more.
   */
  noteStore({ op, timeMs, sync }: StoreRecord): void {
    for (const limit of this.#byName.values()) {
      if (op === "open" && this.#sync !== SYNC_NUMBER.always) limit.receipts.closeBefore(timeMs)
      limit.ahead = null
    }
    this.#sync = sync
  }

  noteTime(timeMs: number): void {
    this.#nowMs = timeMs
    if (timeMs < this.#earliestMs) this.#earliestMs = timeMs
    if (timeMs < this.#statsSinceMs) this.#statsSinceMs = timeMs
  }

  /**
   * Repeats a recorded change.
   *
   * @throws {MalformedBytes} where the state decides otherwise than the record tells
   */
  replay(record: LogRecord): void {
    const { timeMs } = record
    this.noteTime(timeMs)
    if (record.op === "deny") this.noteTime(record.lastMs)
    if (record.op === "define") {
      const limit = this.define(record.name, parsePolicy(record.policy), timeMs)
      if (limit.number !== record.limit) throw new MalformedBytes("a record defines a limit out of order")
      return
    }
    if (record.op === "open" || record.op === "close") {
      this.noteStore(record)
      return
    }
    if (record.op === "compact") {
      this.compact(record).run()
      return
    }
    const limit = this.#limits[record.limit]
    if (limit === undefined) throw new MalformedBytes("a record names a limit that was not defined")
    if (record.op === "remove") this.remove(limit)
    else this.#replayKey(limit, record)
  }

  #replayKey(limit: OwnLimit, record: Extract<LogRecord, { readonly key: string }>): void {
    const { keys } = limit
    const { key, timeMs } = record
    switch (record.op) {
      case "admit":
        if (!keys.allow(key, record.cost, timeMs)) throw new MalformedBytes("replay denies what was admitted")
        // The number of the receipt that `check` gave.
        keys.charges += 1
        if (record.id !== undefined) {
          const chargedAtMs = keys.decidedAtMs
          limit.told.add({ id: record.id, key, cost: record.cost, charge: keys.charges, chargedAtMs }, timeMs)
        }
        break
      case "deny":
        if (keys.allow(key, record.cost, timeMs)) throw new MalformedBytes("replay admits what was denied")
        keys.noteDenials(key, record.count - 1, record.cost, record.lastMs)
        break
      case "charge":
        keys.charge(key, record.cost, timeMs)
        break
      case "settle": {
        const receipt = { id: keys.receiptId(record.charge), key, chargedAtMs: record.chargedAtMs }
        if (!this.settle(limit, receipt, record.units, timeMs)) throw new MalformedBytes("a receipt is settled twice")
        break
      }
      case "block":
        keys.block(key, record.untilMs, timeMs)
        break
      case "unblock":
        keys.unblock(key)
        break
      case "reset":
        keys.reset(key, timeMs)
        break
      case "ahead":
        limit.grantAhead(key, record.units)
        return
    }
    if (this.#keepsNames) limit.noteName(key)
  }

  /**
   * What a compaction that begins now forgets. Full quotas and ended blocks say nothing where they did so at every time
   * since the last one began; receipts that are too old to be settled, at the time of the last record. With them go
   * statistics that are older than they are kept, and blocks of units. Kept in memory they could still speak where the
   * clock is set back, and the log could not be repeated.
   */
  compactRecord(): CompactRecord {
    const timeMs = this.#nowMs
    const sinceMs = Math.max(0, Math.ceil(timeMs - this.#keepStatsMs))
    const statsSinceMs = sinceMs > this.#statsSinceMs ? sinceMs : 0
    return { op: "compact", timeMs, limit: 0, idleAtMs: Math.min(timeMs, this.#earliestMs), statsSinceMs }
  }

  /** Forgets what a record tells, and begins to save the rest as it is then. */
  compact({ timeMs, idleAtMs, statsSinceMs }: CompactRecord): StateSave {
    const head = { timeMs: this.#nowMs, sync: this.#sync, numbers: this.#limits.length }
    const rules = { nowMs: timeMs, idleAtMs, statsSinceMs }
    this.#earliestMs = this.#nowMs
    if (statsSinceMs > 0) this.#statsSinceMs = statsSinceMs
    this.#save = new StateSave(this.#home, this.limits, head, rules)
    return this.#save
  }

  /**
   * Becomes what a `StateSave` told, or what was written in an older format.
   *
   * @param format that of the snapshot
   * @throws {MalformedBytes} {PolicyError} where the bytes cannot be a state's
   */
  load(bytes: Uint8Array, format = FORMAT): void {
    const reader = new ByteReader(bytes)
    // Nobody knows how old the statistics are, before they are looked at.
    this.#statsSinceMs = 0
    this.#nowMs = reader.f64()
    this.#earliestMs = this.#nowMs
    if (format > 1) this.#sync = reader.varint()
    const numbers = format > 1 ? reader.varint() : 0
    const limits = format > 2 ? this.#loadPieces(reader) : this.#loadOld(reader, format)
    this.#byName.clear()
    for (const limit of limits.sort((a, b) => a.number - b.number)) this.#byName.set(limit.name, limit)
    // Numbers of limits that were removed are not given again.
    this.#limits.length = Math.max(this.#limits.length, numbers)
  }

  #loadPieces(reader: ByteReader): OwnLimit[] {
    const limits: OwnLimit[] = []
    const home = {
      keepsNames: this.#keepsNames,
      add: (number: number, name: string, policy: string) => {
        const limit = this.#load(number, name, policy)
        limits.push(limit)
        return limit
      },
      limitAt: (number: number) => {
        const limit = this.#limits[number]
        if (limit === undefined) throw new MalformedBytes("it tells of a limit that it has not named")
        return limit
      },
    }
    while (!reader.atEnd) loadPiece(reader, home)
    return limits
  }

  #loadOld(reader: ByteReader, format: number): OwnLimit[] {
    const limits: OwnLimit[] = []
    for (let left = reader.varint(); left > 0; left--) {
      const number = format > 1 ? reader.varint() : limits.length
      const limit = this.#load(number, reader.text(), reader.text())
      limits.push(limit)
      loadOldLimit(reader, limit, format, this.#keepsNames)
    }
    if (!reader.atEnd) throw new MalformedBytes("it goes on after its end")
    return limits
  }

  #load(number: number, name: string, canonical: string): OwnLimit {
    if (this.#limits[number] !== undefined) throw new MalformedBytes("a limit comes twice")
    const limit = new OwnLimit(this.#home, number, name, parsePolicy(canonical))
    this.#limits[number] = limit
    this.#byName.set(name, limit)
    return limit
  }

  /** Frees the memory at once. */
  free(): void {
    this.#save?.free()
    for (const limit of this.#byName.values()) limit.keys.free()
  }
}
