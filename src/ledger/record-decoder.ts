import type { AdmissionBatch } from "../engine/admission-batch.js"
import { MAX_UNITS } from "../policy/policy-range.js"
import { type ByteReader, MalformedBytes } from "./byte-reader.js"
import type { LogRecord } from "./record.js"
import { FIRST_LIMIT, HAS_MORE, OP_BITS, OP_NUMBER, OPS, UNIT_COST } from "./record-layout.js"

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
    const timeMs = requireTimeInRange(this.#timeMs)
    const limit = first & FIRST_LIMIT ? 0 : reader.varint()
    if (op === "define") {
      const told = { op, timeMs, limit, name: reader.text(), policy: reader.text() } as const
      return first & HAS_MORE ? { ...told, keepsCells: true } : told
    }
    if (op === "remove") return { op, timeMs, limit }
    if (op === "open" || op === "close" || op === "compact") {
      if (limit !== 0) throw new MalformedBytes("a record about the store names a limit")
      if (op === "compact") {
        const idleAtMs = requireTimeInRange(timeMs - reader.signedVarint())
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
        return { op, timeMs, limit, key, cost, count, lastMs: requireTimeInRange(timeMs + reader.signedVarint()) }
      }
      case "settle": {
        const units = reader.signedVarint()
        const chargedAtMs = requireTimeInRange(timeMs - reader.signedVarint())
        return { op, timeMs, limit, key, units, chargedAtMs, chargeNumber: reader.varint() }
      }
      case "block":
        return { op, timeMs, limit, key, untilMs: requireTimeInRange(timeMs + reader.signedVarint()) }
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
   * Reads into a batch what follows and is an admission without an id, as long as it is of the same limit. A store that
   * is opened runs this before anything is compiled: it is one loop, and what is a byte long in most records is read
   * there.
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

function requireTimeInRange(timeMs: number): number {
  if (timeMs < 0 || !Number.isSafeInteger(timeMs)) throw new MalformedBytes("a time is out of range")
  return timeMs
}
