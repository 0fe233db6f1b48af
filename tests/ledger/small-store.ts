import { Ledger } from "../../src/ledger/ledger.js"
import { segmentRow } from "../../src/ledger/segment.js"
import { snapshotRow } from "../../src/ledger/snapshot.js"
import type { LedgerPort } from "../../src/ledger/sql-port.js"
import { parsePolicy } from "../../src/policy/parse-policy.js"
import { START_MS } from "./ledger-case.js"
import { readRows } from "./rows.js"
import { core } from "./script-run.js"

export const SMALL_STORE = { core, partBytes: 300, historySegments: 2 }

/**
 * Fills a store with a row of every kind: parts of a snapshot, the meta row, history, sealed segments, the open one.
 */
export async function fillSmallStore(port: LedgerPort): Promise<{ id: number; body: Uint8Array }[]> {
  const ledger = await Ledger.open(port, SMALL_STORE)
  const log = ledger.define("log", parsePolicy({ limit: 9, period: "1m", algorithm: "sliding_window_log" }), START_MS)
  const block = ledger.define("block", parsePolicy({ limit: 2, period: "1m", block: "1h" }), START_MS)
  const receipt = ledger.check(log, "é", 2, START_MS).decision.receipt!
  await ledger.compact()
  ledger.settle(log, receipt, 1, START_MS + 1)
  for (let check = 2; check < 6; check++) ledger.check(log, "é", 1, START_MS + check)
  await ledger.compact()
  for (let check = 0; check < 4; check++) ledger.check(block, "b", 1, START_MS + 10)
  await ledger.compact()
  ledger.charge(log, "c", 3, START_MS + 11)
  await ledger.verify()
  ledger.reset(block, "b", START_MS + 12)
  await ledger.verify()
  ledger.check(log, "c", 1, START_MS + 13)
  await ledger.close()
  return readRows(port)
}

/** What errors call a row. */
export function rowName(id: number): string {
  if (id === 0) return "the meta row"
  return id > 0 ? segmentRow(id) : snapshotRow(-id % 65_536)
}
