import type { LogRecord } from "../../src/ledger/record.js"
import { eachRecord, readSegment } from "../../src/ledger/segment.js"
import type { LedgerPort } from "../../src/ledger/sql-port.js"
import { readRows } from "./rows.js"

/** Every record in the segments of a store, in order. */
export async function logRecords(port: LedgerPort, rows = readRows(port)): Promise<LogRecord[]> {
  const records: LogRecord[] = []
  for (const { id, body } of rows) {
    if (id > 0) eachRecord(await readSegment(port, id, body), (record) => records.push(record))
  }
  return records
}
