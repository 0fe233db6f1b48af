import type { Ledger } from "../ledger/ledger.js"
import type { LedgerLimit } from "../ledger/own-limit.js"
import type { LogRecord } from "../ledger/record.js"
import type { HistoryEntry } from "../limiter/named-limits.js"
import { eventOf, eventTimeMs, forgetsBlock } from "./log-event.js"

/** A key's last events that the log still has, newest first, its limit's definitions among them. */
export async function keyHistory(
  ledger: Ledger,
  { name, number }: LedgerLimit,
  key: string,
  count: number,
): Promise<HistoryEntry[]> {
  const records = await ledger.lastRecords(count, (record) => {
    if (record.limit !== number || ("key" in record ? record.key !== key : record.op !== "define")) return false
    return historyEntry(record, key, name) !== null
  })
  return records.map((record) => historyEntry(record, key, name)!)
}

/** A record as an entry of a key's history; `null` where it is none. */
function historyEntry(record: LogRecord, key: string, limit: string): HistoryEntry | null {
  if (forgetsBlock(record)) return null
  const { event, units, count } = eventOf(record)
  if (event === "settle" || event === "ahead" || event === "remove") return null
  if (event === "open" || event === "close" || event === "compact") return null
  return { atMs: eventTimeMs(record), event, key, limit, units, count }
}
