import type { AdmissionBatch } from "../engine/admission-batch.js"
import { MAX_UNITS } from "../policy/policy-range.js"
import { type ByteReader, MalformedBytes } from "./byte-reader.js"
import type { ByteWriter } from "./byte-writer.js"

/**
 * A change as the log tells it. `limit` is the number of a limit in the order of definition, times are whole ms since
 * the epoch, amounts whole units. What a record says is enough to repeat the change.
 */
export type LogRecord =
  | {
      readonly op: "define"
      readonly timeMs: number
      readonly limit: number
      readonly name: string
      readonly policy: string
      /** The limit had another policy that computed the same: its cells stay as they are. */
      readonly keepsCells?: true
    }
  | {
      readonly op: "admit"
      readonly timeMs: number
      readonly limit: number
      readonly key: string
      readonly cost: number
      /** Names the call, where the caller did. */
      readonly id?: string
    }
  | DenyRecord
  | {
      readonly op: "charge"
      readonly timeMs: number
      readonly limit: number
      readonly key: string
      readonly cost: number
    }
  | SettleRecord
  | {
      readonly op: "block"
      readonly timeMs: number
      readonly limit: number
      readonly key: string
      readonly untilMs: number
    }
  | { readonly op: "unblock"; readonly timeMs: number; readonly limit: number; readonly key: string }
  | { readonly op: "reset"; readonly timeMs: number; readonly limit: number; readonly key: string }
  | AheadRecord
  | { readonly op: "remove"; readonly timeMs: number; readonly limit: number }
  | StoreRecord
  | CompactRecord

/** A compaction began: here the state forgets what says nothing, whether a snapshot comes of it or not. */
export interface CompactRecord {
  readonly op: "compact"
  /** The time of the record before. Receipts and admissions that are too old then are forgotten. */
  readonly timeMs: number
  /** Stands for no limit. */
  readonly limit: 0
  /** Full quotas and blocks that had ended at this time are forgotten; not after `timeMs`. */
  readonly idleAtMs: number
  /** Statistics, and names, of keys about which nothing was decided since are forgotten; none where it is 0. */
  readonly statsSinceMs: number
}

/** From here on, up to `units` units of a key may have been admitted that the log does not tell. */
export interface AheadRecord {
  readonly op: "ahead"
  readonly timeMs: number
  readonly limit: number
  readonly key: string
  readonly units: number
}

/** The store was opened in a sync mode. */
export interface OpenRecord {
  readonly op: "open"
  readonly timeMs: number
  /** Stands for no limit. */
  readonly limit: 0
  /** The number of the sync mode: see `SYNC_NUMBER`. */
  readonly sync: number
  /** Every limit numbers its charges on above this number, where it had not come so far. */
  readonly chargesAfter: number
}

/** The store was closed, with everything told. */
export interface CloseRecord {
  readonly op: "close"
  readonly timeMs: number
  /** Stands for no limit. */
  readonly limit: 0
  /** The number of the sync mode in which nothing is told that is not in the file. */
  readonly sync: number
}

/** About the store as a whole. */
export type StoreRecord = OpenRecord | CloseRecord

/** Denials of the same key and cost that came one after the other: the first at `timeMs`, the last at `lastMs`. */
export interface DenyRecord {
  readonly op: "deny"
  readonly timeMs: number
  readonly limit: number
  readonly key: string
  readonly cost: number
  readonly count: number
  readonly lastMs: number
}

/** A receipt that was settled, by its `units` as engine/settlement.ts has them. */
export interface SettleRecord {
  readonly op: "settle"
  readonly timeMs: number
  readonly limit: number
  readonly key: string
  readonly units: number
  readonly chargedAtMs: number
  /** The receipt's number with its limit. */
  readonly charge: number
}

const OPS = [
  "define",
  "admit",
  "deny",
  "charge",
  "settle",
  "block",
  "unblock",
  "reset",
  "ahead",
  "remove",
  "open",
  "close",
  "compact",
] as const
const OP_NUMBER = Object.fromEntries(OPS.map((op, number) => [op, number])) as Record<(typeof OPS)[number], number>
const OP_BITS = 0x0f
/** Set in the first byte when cost 1 is left out. */
const UNIT_COST = 0x10
/** Set in the first byte when limit 0 is left out. */
const FIRST_LIMIT = 0x20
/** Set in the first byte of an admission that has an id, of a `define` that keeps the cells, and of every `open`. */
const HAS_MORE = 0x40

/**
 * Writes records one after the other: the operation, the time since the record before, the limit, the key, the rest.
 * A key stands in full where it is first named and is a number after that, so that a stream is its own dictionary.
 */
export class RecordEncoder {
  readonly #writer: ByteWriter
  readonly #keys = new Map<string, number>()
  #timeMs = 0

  constructor(writer: ByteWriter) {
    this.#writer = writer
  }

  write(record: LogRecord): void {
    const writer = this.#writer
    const unit = "cost" in record && record.cost === 1 ? UNIT_COST : 0
    const more = hasMore(record) ? HAS_MORE : 0
    writer.u8(OP_NUMBER[record.op] | unit | more | (record.limit === 0 ? FIRST_LIMIT : 0))
    writer.signedVarint(record.timeMs - this.#timeMs)
    this.#timeMs = record.timeMs
    if (record.limit !== 0) writer.varint(record.limit)
    if (!("key" in record)) {
      this.#writeKeyless(record)
      return
    }
    this.#writeKey(record.key)
    if ("cost" in record && !unit) writer.varint(record.cost)
    if (record.op === "deny") {
      writer.varint(record.count)
      writer.signedVarint(record.lastMs - record.timeMs)
    } else if (record.op === "settle") {
      writer.signedVarint(record.units)
      writer.signedVarint(record.timeMs - record.chargedAtMs)
      writer.varint(record.charge)
    } else if (record.op === "block") {
      writer.signedVarint(record.untilMs - record.timeMs)
    } else if (record.op === "ahead") {
      writer.varint(record.units)
    } else if (record.op === "admit" && record.id !== undefined) {
      writer.text(record.id)
    }
  }

  #writeKeyless(record: Exclude<LogRecord, { readonly key: string }>): void {
    const writer = this.#writer
    if (record.op === "define") {
      writer.text(record.name)
      writer.text(record.policy)
    } else if (record.op === "compact") {
      writer.signedVarint(record.timeMs - record.idleAtMs)
      writer.varint(record.statsSinceMs)
    } else if (record.op !== "remove") {
      writer.varint(record.sync)
      if (record.op === "open") writer.varint(record.chargesAfter)
    }
  }

  #writeKey(key: string): void {
    const number = this.#keys.get(key)
    if (number !== undefined) {
      this.#writer.varint(number)
      return
    }
    this.#writer.varint(0)
    this.#writer.text(key)
    this.#keys.set(key, this.#keys.size + 1)
  }
}

function hasMore(record: LogRecord): boolean {
  if (record.op === "define") return record.keepsCells === true
  return record.op === "admit" ? record.id !== undefined : record.op === "open"
}

/** Reads what a `RecordEncoder` wrote. */
export class RecordDecoder {
  readonly #reader: ByteReader
  /** Where the keys lie that were told, by their numbers: the first from 0 to 1. */
  readonly #spans: number[] = []
  /** Those of them that were asked for. */
  readonly #keys: (string | undefined)[] = []
  #timeMs = 0

  constructor(reader: ByteReader) {
    this.#reader = reader
  }

  get atEnd(): boolean {
    return this.#reader.atEnd
  }

  read(): LogRecord {
    const reader = this.#reader
    const first = reader.u8()
    const op = OPS[first & OP_BITS]
    if (op === undefined || first > (OP_BITS | UNIT_COST | FIRST_LIMIT | HAS_MORE)) {
      throw new MalformedBytes("a record has no known kind")
    }
    if (first & HAS_MORE && op !== "admit" && op !== "open" && op !== "define") {
      throw new MalformedBytes("a record tells more than its kind does")
    }
    if (op === "open" && !(first & HAS_MORE)) throw new MalformedBytes("a record tells less than its kind does")
    this.#timeMs += reader.signedVarint()
    const timeMs = checkedTime(this.#timeMs)
    const limit = first & FIRST_LIMIT ? 0 : reader.varint()
    if (op === "define") {
      const told = { op, timeMs, limit, name: reader.text(), policy: reader.text() } as const
      return first & HAS_MORE ? { ...told, keepsCells: true } : told
    }
    if (op === "remove") return { op, timeMs, limit }
    if (op === "open" || op === "close" || op === "compact") {
      if (limit !== 0) throw new MalformedBytes("a record about the store names a limit")
      if (op === "compact") {
        const idleAtMs = checkedTime(timeMs - reader.signedVarint())
        return { op, timeMs, limit, idleAtMs, statsSinceMs: reader.varint() }
      }
      const sync = reader.varint()
      return op === "close" ? { op, timeMs, limit, sync } : { op, timeMs, limit, sync, chargesAfter: reader.varint() }
    }
    const key = this.#readKey()
    switch (op) {
      case "admit": {
        const cost = first & UNIT_COST ? 1 : reader.varint()
        if (first & HAS_MORE) return { op, timeMs, limit, key, cost, id: reader.text() }
        return { op, timeMs, limit, key, cost }
      }
      case "charge":
        return { op, timeMs, limit, key, cost: first & UNIT_COST ? 1 : reader.varint() }
      case "deny": {
        const cost = first & UNIT_COST ? 1 : reader.varint()
        const count = reader.varint()
        if (count === 0) throw new MalformedBytes("a record counts no denial")
        return { op, timeMs, limit, key, cost, count, lastMs: checkedTime(timeMs + reader.signedVarint()) }
      }
      case "settle": {
        const units = reader.signedVarint()
        const chargedAtMs = checkedTime(timeMs - reader.signedVarint())
        return { op, timeMs, limit, key, units, chargedAtMs, charge: reader.varint() }
      }
      case "block":
        return { op, timeMs, limit, key, untilMs: checkedTime(timeMs + reader.signedVarint()) }
      case "ahead":
        return { op, timeMs, limit, key, units: reader.varint() }
      default:
        return { op, timeMs, limit, key }
    }
  }

  #readKey(): string {
    const number = this.#readKeyNumber()
    this.#keys[number] ??= this.keyAt(this.#spans[2 * number]!, this.#spans[2 * number + 1]!)
    return this.#keys[number]
  }

  /** The number of a key, from 0, which now was told. */
  #readKeyNumber(): number {
    const reader = this.#reader
    const number = reader.varint()
    if (number > 0) {
      if (2 * number > this.#spans.length) throw new MalformedBytes("a record names a key that was not told")
      return number - 1
    }
    const length = reader.varint()
    const start = reader.at
    reader.skip(length)
    return this.#spans.push(start, start + length) / 2 - 1
  }

  /** The key that lies at these bytes. @throws {MalformedBytes} where it is no UTF-8 */
  keyAt(start: number, end: number): string {
    return this.#reader.textAt(start, end)
  }

  /**
   * Reads into a batch what follows and is an admission without an id, as long as it is of the same limit. A store that is
   * opened runs this before anything is compiled: it is one loop, and what is a byte long in most records is read there.
   *
   * @param most how many records are left
   * @returns how many were read
   * @throws {MalformedBytes}
   */
  readAdmissions(batch: AdmissionBatch, most: number): number {
    batch.begin()
    const reader = this.#reader
    const bytes = reader.source
    const { spans, costs, times } = batch
    const told = this.#spans
    const room = Math.min(most, costs.length)
    let { at } = reader
    let timeMs = this.#timeMs
    let earliestMs = Number.POSITIVE_INFINITY
    let count = 0
    const longer = (byte: number) => {
      reader.at = at
      const value = reader.varintAfter(byte)
      at = reader.at
      return value
    }
    for (; count < room; count++) {
      const first = bytes[at]!
      if ((first & ~(UNIT_COST | FIRST_LIMIT)) !== OP_NUMBER.admit) break
      const start = at
      at += 1
      let passed = bytes[at++]!
      if (passed >= 0x80) passed = longer(passed)
      let limit = 0
      if (!(first & FIRST_LIMIT)) {
        limit = bytes[at++]!
        if (limit >= 0x80) limit = longer(limit)
      }
      if (count === 0) batch.limit = limit
      else if (limit !== batch.limit) {
        at = start
        break
      }
      timeMs += passed % 2 === 0 ? passed / 2 : -(passed + 1) / 2
      if (timeMs < earliestMs) earliestMs = timeMs
      times[count] = timeMs
      let number = bytes[at++]!
      if (number >= 0x80) number = longer(number)
      if (number === 0) {
        let length = bytes[at++]!
        if (length >= 0x80) length = longer(length)
        number = told.push(at, at + length) / 2
        at += length
      } else if (2 * number > told.length) {
        throw new MalformedBytes("a record names a key that was not told")
      }
      spans[2 * count] = told[2 * number - 2]!
      spans[2 * count + 1] = told[2 * number - 1]!
      let cost = 1
      if (!(first & UNIT_COST)) {
        cost = bytes[at++]!
        if (cost >= 0x80) cost = longer(cost)
      }
      if (cost > MAX_UNITS) throw new MalformedBytes("a number is out of range")
      costs[count] = cost
      if (at > bytes.length) throw new MalformedBytes("it ends too soon")
    }
    reader.at = at
    this.#timeMs = timeMs
    batch.earliestMs = earliestMs
    batch.lastMs = timeMs
    return count
  }
}

function checkedTime(timeMs: number): number {
  if (timeMs < 0 || !Number.isSafeInteger(timeMs)) throw new MalformedBytes("a time is out of range")
  return timeMs
}
