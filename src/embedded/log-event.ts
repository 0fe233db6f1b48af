import type { Ledger } from "../ledger/ledger.js"
import type { LogPlace, PlacedRecord } from "../ledger/log-reader.js"
import type { LogRecord } from "../ledger/record.js"
import type { HistoryEntry } from "../limiter/named-limits.js"
import type { Awaitable } from "../types/limiter.js"

/** A record of the log, for people and for export. */
export interface LogEvent {
  /** The number of the log's segment, from 1, and the record's place in it, from 0: together they order all records. */
  readonly sequence: number
  readonly index: number
  /** Of several denials that are told as one, when the last of them was. */
  readonly atMs: number
  readonly event: HistoryEntry["event"] | "settle" | "ahead" | "remove" | "open" | "close" | "compact"
  /**
   * `null` where the record is about no limit, or about one that was removed and whose definition the log has no more.
   */
  readonly limit: string | null
  /** `null` where the record is about no key. */
  readonly key: string | null
  /** Units asked for, charged, given back or granted ahead; 0 where the event has none. */
  readonly units: number
  /** How many denials of the same kind came one after the other; 1 for everything else. */
  readonly count: number
  /** The id that the caller gave the call. */
  readonly id?: string
  /** Of a definition the policy that it put in force: its canonical text. */
  readonly policy?: string
}

/**
 * Every record from a place on that a log still has when the reading begins, in order, as events.
 *
 * @param open gives the ledger, at the first question
 * @throws {StoreCorrupt} {StoreUnavailable}
 */
export async function* logEvents(
  open: () => Awaitable<Ledger>,
  from?: LogPlace,
): AsyncGenerator<LogEvent, void, undefined> {
  const ledger = await open()
  const names = new Map<number, string>()
  for await (const placed of ledger.records(from)) {
    const { record } = placed
    if (record.op === "define") names.set(record.limit, record.name)
    const isOfStore = record.op === "open" || record.op === "close" || record.op === "compact"
    yield logEvent(placed, isOfStore ? null : (ledger.nameOf(record.limit) ?? names.get(record.limit) ?? null))
  }
}

/** A record as an event of the log. */
function logEvent({ sequence, index, record }: PlacedRecord, limit: string | null): LogEvent {
  const { event, units, count } = eventOf(record)
  const key = "key" in record ? record.key : null
  const told = { sequence, index, atMs: eventTimeMs(record), event, limit, key, units, count }
  if (record.op === "define") return { ...told, policy: record.policy }
  return record.op === "admit" && record.id !== undefined ? { ...told, id: record.id } : told
}

/** What a record tells of its event. */
export function eventOf(record: LogRecord): Pick<LogEvent, "event" | "units" | "count"> {
  switch (record.op) {
    case "settle":
      if (record.units === 0) return { event: "settle", units: 0, count: 1 }
      return { event: record.units > 0 ? "refund" : "charge", units: Math.abs(record.units), count: 1 }
    case "admit":
    case "charge":
      return { event: record.op, units: record.cost, count: 1 }
    case "deny":
      return { event: record.op, units: record.cost, count: record.count }
    case "ahead":
      return { event: record.op, units: record.units, count: 1 }
    case "block":
      return { event: forgetsBlock(record) ? "unblock" : "block", units: 0, count: 1 }
    default:
      return { event: record.op, units: 0, count: 1 }
  }
}

/** When a record's event was: of several denials that it tells, the last. */
export function eventTimeMs(record: LogRecord): number {
  return record.op === "deny" ? record.lastMs : record.timeMs
}

/** Whether a record forgets a block that had ended by itself: it has the block end before all times. */
export function forgetsBlock(record: LogRecord): boolean {
  return record.op === "block" && record.untilMs === 0
}
