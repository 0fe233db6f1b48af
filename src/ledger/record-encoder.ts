import type { ByteWriter } from "./byte-writer.js"
import type { LogRecord } from "./record.js"
import { FIRST_LIMIT, HAS_MORE, OP_NUMBER, UNIT_COST } from "./record-layout.js"

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
      writer.varint(record.chargeNumber)
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
