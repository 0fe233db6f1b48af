import type { Core } from "../engine/core.js"
import { StoreCorrupt } from "../types/errors.js"
import { MalformedBytes } from "./byte-reader.js"
import { sameBytes } from "./envelope.js"
import { LedgerState } from "./ledger-state.js"
import { META_ROW, readMeta } from "./meta.js"
import { type Segment, readSegment, segmentRow } from "./segment.js"
import { readSnapshot, stateReader } from "./snapshot.js"
import type { LedgerPort, LogRow } from "./sql-port.js"

/** What a log holds when every row of it is what was written. */
export interface Recovered {
  readonly state: LedgerState
  /** The open segment, which the log ends with. */
  readonly open: Segment
  /** Sum of the rows' bytes. */
  readonly bytes: number
  readonly rows: number
  /** Records in the segments, covered ones that are kept as history included. */
  readonly records: number
  /** The last segment that the snapshot covers; 0 where there is none. */
  readonly coveredSequence: number
  /** Bytes of the snapshot's state. */
  readonly snapshotBytes: number
  /** Bytes of sealed segments that the snapshot does not cover. */
  readonly logBytes: number
}

/**
 * Reads a whole log: the snapshot, then the segments after it in order. Every row's hash, kind, sequence and place in
 * the chain is checked, and every record's outcome. Nothing is written.
 *
 * @param log the rows by id, ascending
 * @param throughSequence the last segment to replay; later ones are only checked
 * @throws {StoreCorrupt} naming the first row that cannot be what was written, {StoreVersion}
 */
export async function recover(
  port: LedgerPort,
  core: Core,
  log: Iterable<LogRow>,
  { throughSequence = Number.POSITIVE_INFINITY } = {},
): Promise<Recovered> {
  const { meta, snapshotRows, segments, bytes, rows } = sortRows(log)
  if (meta === undefined) throw new StoreCorrupt(META_ROW, "it is missing")
  const { content, hash: metaHash } = await readMeta(port, meta)
  const state = new LedgerState(core, content.seed, content.id)
  try {
    let chainHash = metaHash
    let coveredSequence = 0
    let snapshotBytes = 0
    if (snapshotRows.length > 0) {
      const snapshot = await readSnapshot(port, snapshotRows)
      inRow("the snapshot", () => {
        const reader = stateReader(snapshot)
        state.load(reader)
        if (!reader.atEnd) throw new MalformedBytes("it goes on after its end")
      })
      chainHash = snapshot.chainHash
      coveredSequence = snapshot.sequence
      snapshotBytes = snapshot.state.length
    }
    const replayed = await replaySegments(port, state, segments, { coveredSequence, chainHash, throughSequence })
    return { state, bytes, rows, coveredSequence, snapshotBytes, ...replayed }
  } catch (error) {
    state.free()
    throw error
  }
}

function sortRows(log: Iterable<LogRow>) {
  let meta: Uint8Array | undefined
  const snapshotRows: Uint8Array[] = []
  const segments: LogRow[] = []
  let bytes = 0
  let rows = 0
  for (const row of log) {
    if (!(row.body instanceof Uint8Array)) throw new StoreCorrupt(`row ${row.id}`, "its body is no blob")
    bytes += row.body.length
    rows += 1
    if (row.id === 0) meta = row.body
    else if (row.id > 0) segments.push(row)
    else snapshotRows.unshift(row.body)
  }
  return { meta, snapshotRows, segments, bytes, rows }
}

async function replaySegments(
  port: LedgerPort,
  state: LedgerState,
  rows: readonly LogRow[],
  {
    coveredSequence,
    chainHash,
    throughSequence,
  }: { readonly coveredSequence: number; readonly chainHash: Uint8Array; readonly throughSequence: number },
): Promise<{ open: Segment; records: number; logBytes: number }> {
  const first = rows[0]
  if (first === undefined) throw new StoreCorrupt(segmentRow(coveredSequence + 1), "it is missing")
  // Covered segments are history: checked, not applied. Their chain must lead to the snapshot's.
  let expected = Math.min(first.id, coveredSequence + 1)
  let previousHash = expected === coveredSequence + 1 ? chainHash : null
  let last: Segment | null = null
  let records = 0
  let logBytes = 0
  for (const { id, body } of rows) {
    if (id !== expected) throw new StoreCorrupt(segmentRow(expected), "it is missing")
    const row = segmentRow(id)
    if (last !== null && !last.isSealed) throw new StoreCorrupt(row, "the segment before it is still open")
    const segment = await readSegment(port, id, body)
    if (segment.sequence !== id) throw new StoreCorrupt(row, `it is segment ${segment.sequence}`)
    if (previousHash !== null && !sameBytes(segment.previousHash, previousHash)) {
      throw new StoreCorrupt(row, "it does not follow the segment before")
    }
    if (id === coveredSequence && !sameBytes(segment.hash, chainHash)) {
      throw new StoreCorrupt(row, "it is not the segment that the snapshot covers")
    }
    if (id > coveredSequence && id <= throughSequence) {
      for (const record of segment.records) inRow(row, () => state.replay(record))
    }
    if (id > coveredSequence && segment.isSealed) logBytes += body.length
    records += segment.records.length
    previousHash = segment.hash
    last = segment
    expected = id + 1
  }
  if (last === null || last.isSealed || last.sequence <= coveredSequence) {
    throw new StoreCorrupt(segmentRow(expected), "it is missing")
  }
  return { open: last, records, logBytes }
}

/** Names the row in what goes wrong with its content. */
function inRow(row: string, work: () => void): void {
  try {
    work()
  } catch (error) {
    if (error instanceof StoreCorrupt) throw error
    throw new StoreCorrupt(row, error instanceof Error ? error.message : String(error))
  }
}
