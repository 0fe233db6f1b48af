import type { Ledger } from "../ledger/ledger.js"
import type { LedgerLimit } from "../ledger/own-limit.js"
import type { LogRecord } from "../ledger/record.js"
import { isSameDenial } from "../limiter/key-journal.js"
import type { HistoryEntry } from "../limiter/named-limits.js"
import { eventOf, eventTimeMs, forgetsBlock } from "./log-event.js"

/**
 * A key's last events that the log still has, newest first, its limit's definitions among them. Equal denials between
 * which the key has no other event are one entry, also where the log has them in several records: it tells in one only
 * what nothing of other keys, and no commit, came between.
 */
export async function keyHistory(
  ledger: Ledger,
  { name, number }: LedgerLimit,
  key: string,
  count: number,
): Promise<HistoryEntry[]> {
  if (count === 0) return []
  const entries: HistoryEntry[] = []
  // One more than is told: with that, the last one has all of its denials.
  await ledger.lastRecords(count + 1, (record) => {
    if (record.limit !== number || ("key" in record ? record.key !== key : record.op !== "define")) return false
    const entry = historyEntry(record, key, name)
    if (entry === null) return false
    const later = entries.at(-1)
    if (later !== undefined && isSameDenial(entry, later)) {
      entries[entries.length - 1] = { ...later, count: later.count + entry.count }
      return false
    }
    entries.push(entry)
    return true
  })
  return entries.slice(0, count)
}

/** A record as an entry of a key's history; `null` where it is none. */
function historyEntry(record: LogRecord, key: string, limit: string): HistoryEntry | null {
  if (forgetsBlock(record)) return null
  const { event, units, count } = eventOf(record)
  if (event === "settle" || event === "ahead" || event === "remove") return null
  if (event === "open" || event === "close" || event === "compact") return null
  return { atMs: eventTimeMs(record), event, key, limit, units, count }
}
