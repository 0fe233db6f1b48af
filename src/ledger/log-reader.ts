import { OBJECT, requireKind, requireWhole } from "../policy/require-fields.js"
import { StoreCorrupt } from "../types/errors.js"
import type { LogEnd } from "./log-end.js"
import type { LogFailure } from "./log-failure.js"
import type { LogTable } from "./log-table.js"
import { readRows } from "./read-rows.js"
import type { LogRecord } from "./record.js"
import { readRecords, readSegment, segmentRow } from "./segment.js"
import type { LedgerPort, LogRow } from "./sql-port.js"
import { Turns } from "./turns.js"

/** A record and its place in the log. */
export interface PlacedRecord {
  /** The segment's number, from 1. */
  readonly sequence: number
  /** The record's place in the segment, from 0. */
  readonly index: number
  readonly record: LogRecord
}

/** Where to read on. */
export type LogPlace = Pick<PlacedRecord, "sequence" | "index">

/** @throws {RangeError} where no record can be there. The rows before the first segment are of another kind. */
export function requirePlace(from: LogPlace): void {
  const act = "read records"
  requireKind(act, "from", from, OBJECT)
  requireWhole(act, "from.sequence", from.sequence, 1, Number.MAX_SAFE_INTEGER)
  requireWhole(act, "from.index", from.index, 0, Number.MAX_SAFE_INTEGER)
}

/**
 * Reads what is in the file: the segments that no snapshot covers, and those that are kept as history. It does so in
 * turns of the event loop, between which the log may be written and compacted: it tells what was there when the reading
 * began, but for segments that a compaction drops before they are read.
 */
export class LogReader {
  readonly #port: LedgerPort
  readonly #table: LogTable
  readonly #failure: LogFailure

  constructor(port: LedgerPort, table: LogTable, failure: LogFailure) {
    this.#port = port
    this.#table = table
    this.#failure = failure
  }

  /**
   * The last records that `wants` picks, the newest first, at most `count`.
   *
   * @throws {StoreCorrupt} {StoreVersion} {StoreUnavailable}
   */
  async last(count: number, wants: (record: LogRecord) => boolean): Promise<LogRecord[]> {
    const turns = new Turns(this.#port, this.#failure)
    const found: LogRecord[] = []
    let before = Number.MAX_SAFE_INTEGER
    while (found.length < count) {
      this.#failure.requireOpen()
      const row = readRows(this.#port, () => this.#table.segmentBefore(before))
      if (row === undefined) break
      const records = await this.#recordsOf(row, turns)
      for (let at = records.length - 1; at >= 0 && found.length < count; at--) {
        if (wants(records[at]!)) found.push(records[at]!)
      }
      before = row.id
    }
    return found
  }

  /**
   * Every record from a place on, or from the first one that is left, in order. Segments that a compaction drops
   * meanwhile are not read.
   *
   * @param end where to stop, though the log grows meanwhile: who writes for each record that is read would else never
   *   be done
   * @throws {StoreCorrupt} {StoreVersion} {StoreUnavailable}
   */
  async *from(
    end: Pick<LogEnd, "sequence" | "count">,
    place: LogPlace = { sequence: 1, index: 0 },
  ): AsyncGenerator<PlacedRecord, void, undefined> {
    const turns = new Turns(this.#port, this.#failure)
    let { sequence, index } = place
    for (;;) {
      this.#failure.requireOpen()
      const row = readRows(this.#port, () => this.#table.rowFrom(sequence))
      if (row === undefined || row.id > end.sequence) return
      if (row.id !== sequence) index = 0
      sequence = row.id
      const records = await this.#recordsOf(row, turns)
      const count = sequence === end.sequence ? end.count : records.length
      for (; index < count; index++) yield { sequence, index, record: records[index]! }
      sequence += 1
      index = 0
    }
  }

  async #recordsOf({ id, body }: LogRow, turns: Turns): Promise<LogRecord[]> {
    if (!(body instanceof Uint8Array)) throw new StoreCorrupt(segmentRow(id), "its body is no blob")
    const records: LogRecord[] = []
    const steps = readRecords(await readSegment(this.#port, id, body), (decoder) => {
      records.push(decoder.read())
      return 1
    })
    await turns.run(() => steps.next())
    return records
  }
}
