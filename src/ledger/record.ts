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
    }
  | {
      readonly op: "admit"
      readonly timeMs: number
      readonly limit: number
      readonly key: string
      readonly cost: number
    }
  | DenyRecord
  | {
      readonly op: "charge"
      readonly timeMs: number
      readonly limit: number
      readonly key: string
      readonly cost: number
    }
  | RefundRecord
  | {
      readonly op: "block"
      readonly timeMs: number
      readonly limit: number
      readonly key: string
      readonly untilMs: number
    }
  | { readonly op: "unblock"; readonly timeMs: number; readonly limit: number; readonly key: string }
  | { readonly op: "reset"; readonly timeMs: number; readonly limit: number; readonly key: string }

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

/** A receipt that was settled: units given back or, where `units` is negative, charged on top. */
export interface RefundRecord {
  readonly op: "settle"
  readonly timeMs: number
  readonly limit: number
  readonly key: string
  readonly units: number
  readonly chargedAtMs: number
  /** The receipt's number with its limit. */
  readonly charge: number
}

const OPS = ["define", "admit", "deny", "charge", "settle", "block", "unblock", "reset"] as const
const OP_BITS = 0x0f
/** Set in the first byte when cost 1 is left out. */
const UNIT_COST = 0x10
/** Set in the first byte when limit 0 is left out. */
const FIRST_LIMIT = 0x20

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
    writer.u8(OPS.indexOf(record.op) | unit | (record.limit === 0 ? FIRST_LIMIT : 0))
    writer.signedVarint(record.timeMs - this.#timeMs)
    this.#timeMs = record.timeMs
    if (record.limit !== 0) writer.varint(record.limit)
    if (record.op === "define") {
      writer.text(record.name)
      writer.text(record.policy)
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

/** Reads what a `RecordEncoder` wrote. */
export class RecordDecoder {
  readonly #reader: ByteReader
  readonly #keys: string[] = []
  #timeMs = 0

  constructor(reader: ByteReader) {
    this.#reader = reader
  }

  read(): LogRecord {
    const reader = this.#reader
    const first = reader.u8()
    const op = OPS[first & OP_BITS]
    if (op === undefined || first > (OP_BITS | UNIT_COST | FIRST_LIMIT))
      throw new MalformedBytes("a record has no known kind")
    this.#timeMs += reader.signedVarint()
    const timeMs = requireTime(this.#timeMs)
    const limit = first & FIRST_LIMIT ? 0 : reader.varint()
    if (op === "define") return { op, timeMs, limit, name: reader.text(), policy: reader.text() }
    const key = this.#readKey()
    switch (op) {
      case "admit":
      case "charge":
        return { op, timeMs, limit, key, cost: first & UNIT_COST ? 1 : reader.varint() }
      case "deny": {
        const cost = first & UNIT_COST ? 1 : reader.varint()
        const count = reader.varint()
        if (count === 0) throw new MalformedBytes("a record counts no denial")
        return { op, timeMs, limit, key, cost, count, lastMs: requireTime(timeMs + reader.signedVarint()) }
      }
      case "settle": {
        const units = reader.signedVarint()
        const chargedAtMs = requireTime(timeMs - reader.signedVarint())
        return { op, timeMs, limit, key, units, chargedAtMs, charge: reader.varint() }
      }
      case "block":
        return { op, timeMs, limit, key, untilMs: requireTime(timeMs + reader.signedVarint()) }
      default:
        return { op, timeMs, limit, key }
    }
  }

  #readKey(): string {
    const number = this.#reader.varint()
    if (number === 0) {
      const key = this.#reader.text()
      this.#keys.push(key)
      return key
    }
    const key = this.#keys[number - 1]
    if (key === undefined) throw new MalformedBytes("a record names a key that was not told")
    return key
  }
}

function requireTime(timeMs: number): number {
  if (timeMs < 0 || !Number.isSafeInteger(timeMs)) throw new MalformedBytes("a time is out of range")
  return timeMs
}
