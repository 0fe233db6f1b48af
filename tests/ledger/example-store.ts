import { Core } from "../../src/engine/core.js"
import { LedgerState } from "../../src/ledger/ledger-state.js"
import { writeMeta } from "../../src/ledger/meta.js"
import type { LogRecord } from "../../src/ledger/record.js"
import { replayRecord } from "../../src/ledger/replay-record.js"
import { SegmentWriter } from "../../src/ledger/segment.js"
import { SnapshotWriter } from "../../src/ledger/snapshot.js"
import type { LedgerPort } from "../../src/ledger/sql-port.js"
import { parsePolicy } from "../../src/policy/parse-policy.js"

const T = 1_700_000_000_000
const META = { id: "example", seed: [1, 2, 3, 4] } as const

/** A record of each kind, as docs/log-format.md tells them. */
export const EXAMPLE_RECORDS: readonly LogRecord[] = [
  { op: "define", timeMs: T, limit: 0, name: "api", policy: parsePolicy("3/minute").canonical },
  { op: "admit", timeMs: T, limit: 0, key: "a", cost: 1 },
  { op: "admit", timeMs: T + 5, limit: 0, key: "a", cost: 2 },
  { op: "deny", timeMs: T + 10, limit: 0, key: "a", cost: 1, count: 300, lastMs: T + 40 },
  { op: "settle", timeMs: T + 50, limit: 0, key: "a", units: 1, chargedAtMs: T + 5, chargeNumber: 2 },
  { op: "charge", timeMs: T + 60, limit: 0, key: "b", cost: 4 },
  { op: "block", timeMs: T + 60, limit: 0, key: "b", untilMs: T + 1_060 },
  { op: "unblock", timeMs: T + 59, limit: 0, key: "b" },
  { op: "reset", timeMs: T + 70, limit: 0, key: "b" },
  { op: "admit", timeMs: T + 70, limit: 0, key: "c", cost: 1, id: "call-7" },
  { op: "define", timeMs: T + 70, limit: 1, name: "old", policy: parsePolicy("1/day").canonical },
  { op: "remove", timeMs: T + 70, limit: 1 },
  { op: "open", timeMs: T + 70, limit: 0, sync: 1, chargesAfter: 0 },
  { op: "ahead", timeMs: T + 70, limit: 0, key: "c", units: 2 },
  { op: "charge", timeMs: T + 70, limit: 0, key: "c", cost: 2 },
  { op: "open", timeMs: T + 70, limit: 0, sync: 1, chargesAfter: 3 + 2 ** 24 },
  { op: "close", timeMs: T + 70, limit: 0, sync: 0 },
  { op: "compact", timeMs: T + 70, limit: 0, idleAtMs: T, statsSinceMs: 0 },
]

/** A small store: the meta row, a sealed segment kept as history, the snapshot that covers it, the open segment. */
export async function exampleRows(port: LedgerPort): Promise<{ id: number; body: Uint8Array }[]> {
  const meta = await writeMeta(port, META)
  const first = new SegmentWriter(1, meta.hash)
  const state = new LedgerState(new Core(), META.seed, META.id, { names: true })
  let told = new Uint8Array()
  for (const record of EXAMPLE_RECORDS) {
    first.append(record)
    if (record.op !== "compact") {
      replayRecord(state, record)
      continue
    }
    const save = state.compact(record)
    save.work(1_000_000, 1_000_000)
    told = save.next(1_000_000).slice()
  }
  const sealed = await first.seal(port, { isSealed: true })
  const head = { sequence: 1, oldestSequence: 1, chainHash: sealed.hash }
  const snapshot = await new SnapshotWriter(port, head, meta.hash).part(told, { isLast: true })
  const second = new SegmentWriter(2, sealed.hash)
  second.coveredSequence = 1
  second.append({ op: "admit", timeMs: T + 80, limit: 0, key: "a", cost: 1 })
  const open = await second.seal(port, { isSealed: false })
  return [snapshot, { id: 0, body: meta.body }, { id: 1, body: sealed.body }, { id: 2, body: open.body }]
}
