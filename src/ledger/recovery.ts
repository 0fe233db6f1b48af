import type { Core } from "../engine/core.js"
import { StoreCorrupt, StoreUnavailable } from "../types/errors.js"
import { FORMAT } from "./envelope.js"
import { LedgerState, type StateOptions } from "./ledger-state.js"
import { loadState } from "./load-state.js"
import { META_ROW, readMeta } from "./meta.js"
import { Replay } from "./replay.js"
import { type Segment, segmentRow } from "./segment.js"
import { chainStart, readNext, requireCovered } from "./segment-chain.js"
import { type ReadSnapshot, readSnapshots } from "./snapshot.js"
import type { LedgerPort, LogRow } from "./sql-port.js"

/** What a log holds when every row of it is what was written. */
export interface Recovered {
  readonly state: LedgerState
  /** Binds the snapshot to the store. */
  readonly metaHash: Uint8Array
  /** The open segment, which the log ends with. */
  readonly open: Segment
  /** Sum of the rows' bytes. */
  readonly bytes: number
  readonly rows: number
  /** Those of the rows that are segments. */
  readonly segments: number
  /** Records in the segments, covered ones that are kept as history included. */
  readonly records: number
  /** Those of the records that the snapshot does not cover. */
  readonly uncoveredRecords: number
  /** The last segment that the snapshot covers; 0 where there is none. */
  readonly coveredSequence: number
  /** The first segment that the log has. */
  readonly oldestSequence: number
  /** Bytes of the snapshot's state. */
  readonly snapshotBytes: number
  /** Bytes of sealed segments that the snapshot does not cover. */
  readonly logBytes: number
  /** Ids of the snapshot's rows, by part. */
  readonly snapshotIds: readonly number[]
  /** Rows that nothing needs, in the order in which they may go: a compaction was not finished, or not cleaned up after. */
  readonly leftIds: readonly number[]
  /** Whether the state is that of an older format, under which it may forget more than under this one. */
  readonly isOld: boolean
}

/**
 * Reads a whole log: the snapshot, then the segments after it in order. Every row's hash, kind, sequence and place in
 * the chain is checked, and every record's outcome. Nothing is written.
 *
 * @param log the rows by id, ascending
 * @param throughSequence the last segment to replay; later ones are only checked
 * @throws {StoreCorrupt} naming the first row that cannot be what was written, {StoreVersion}, {StoreUnavailable} where
 *   there is no memory for what is stored
 */
export async function recover(
  port: LedgerPort,
  core: Core,
  log: readonly LogRow[],
  {
    throughSequence = Number.POSITIVE_INFINITY,
    ...stateOptions
  }: StateOptions & { readonly throughSequence?: number } = {},
): Promise<Recovered> {
  const { meta, parts, segments, bytes, rows } = sortRows(log)
  if (meta === undefined) throw new StoreCorrupt(META_ROW, "it is missing")
  const { content, hash: metaHash } = await readMeta(port, meta)
  const { snapshot, ids: snapshotIds, leftIds, missingPart } = await readSnapshots(port, parts, metaHash)
  // The first segments can only be gone where a snapshot was in force.
  if (snapshot === null && missingPart !== null && (segments[0]?.id ?? 1) > 1) {
    throw new StoreCorrupt(missingPart, "it is missing")
  }
  const { sequence: coveredSequence, oldestSequence, chainHash } = snapshot ?? noSnapshot(metaHash)
  const isOld = dependsOnLayout(snapshot, segments)
  const state = new LedgerState(core, content.seed, content.id, { ...stateOptions, dropsOnGrowth: isOld })
  const replay = new Replay(state)
  try {
    if (snapshot !== null) inRow("the snapshot", () => loadState(state, snapshot.state, snapshot.format))
    const covered = { coveredSequence, oldestSequence, chainHash, metaHash, missingPart }
    const replayed = await replaySegments(port, replay, segments, { ...covered, throughSequence })
    const leftSegments = segments.flatMap(({ id }) => (id < oldestSequence ? [id] : []))
    return {
      state,
      bytes,
      rows,
      segments: segments.length,
      snapshotBytes: snapshot?.state.length ?? 0,
      snapshotIds,
      leftIds: [...leftIds, ...leftSegments],
      isOld,
      ...covered,
      ...replayed,
    }
  } catch (error) {
    state.free()
    throw error
  } finally {
    replay.end()
  }
}

const FIRST_LAYOUT_FREE_FORMAT = 3

/**
 * Whether what a log forgets, and when, depends on how cells lie in their tables, as in formats 1 and 2: a table that grew
 * dropped its idle cells, and replaying must drop the same.
 */
export function dependsOnLayout(snapshot: ReadSnapshot | null, segments: readonly LogRow[]): boolean {
  return (snapshot?.format ?? segments[0]?.body[1] ?? FORMAT) < FIRST_LAYOUT_FREE_FORMAT
}

function noSnapshot(metaHash: Uint8Array) {
  return { sequence: 0, oldestSequence: 1, chainHash: metaHash }
}

/** What is known of the segments before the first of them is read. */
interface Covered {
  readonly coveredSequence: number
  readonly oldestSequence: number
  /** The hash of the last covered segment, or of the meta row where there is none. */
  readonly chainHash: Uint8Array
  readonly metaHash: Uint8Array
  /** Where none is in force: the part that one lacks. */
  readonly missingPart: string | null
}

function sortRows(log: readonly LogRow[]) {
  let meta: Uint8Array | undefined
  const parts: LogRow[] = []
  const segments: LogRow[] = []
  let bytes = 0
  let rows = 0
  for (const row of log) {
    if (!(row.body instanceof Uint8Array)) throw new StoreCorrupt(`row ${row.id}`, "its body is no blob")
    bytes += row.body.length
    rows += 1
    if (row.id === 0) meta = row.body
    else if (row.id > 0) segments.push(row)
    else parts.push(row)
  }
  return { meta, parts, segments, bytes, rows }
}

async function replaySegments(
  port: LedgerPort,
  replay: Replay,
  rows: readonly LogRow[],
  {
    coveredSequence,
    oldestSequence,
    chainHash,
    metaHash,
    missingPart,
    throughSequence,
  }: Covered & { readonly throughSequence: number },
): Promise<{ open: Segment; records: number; uncoveredRecords: number; logBytes: number }> {
  // Covered segments are history: checked, not applied. Their chain must lead to the snapshot's.
  // Those before the oldest one were about to be dropped.
  let expected = Math.min(oldestSequence, rows[0]?.id ?? oldestSequence)
  let isSnapshotKnown = coveredSequence === 0
  const firstHash = expected === coveredSequence + 1 ? chainHash : expected === 1 ? metaHash : null
  let last: Segment | null = null
  let records = 0
  let uncoveredRecords = 0
  let logBytes = 0
  for (const row of rows) {
    const { id, body } = row
    if (id !== expected) throw new StoreCorrupt(segmentRow(expected), "it is missing")
    const segment = await readNext(port, row, last ?? chainStart(firstHash))
    if (id > coveredSequence && segment.coveredSequence > coveredSequence) {
      throw new StoreCorrupt(missingPart ?? "the snapshot", `it is missing or older than segment ${id}`)
    }
    if (id > coveredSequence && segment.coveredSequence === coveredSequence) isSnapshotKnown = true
    if (id === coveredSequence) requireCovered(segment, chainHash)
    if (id > coveredSequence && id <= throughSequence) {
      inRow(segmentRow(id), () => replay.segment(segment))
    }
    if (id > coveredSequence && segment.isSealed) logBytes += body.length
    records += segment.count
    if (id > coveredSequence) uncoveredRecords += segment.count
    last = segment
    expected = id + 1
  }
  if (last === null || last.isSealed || last.sequence <= coveredSequence) {
    throw new StoreCorrupt(segmentRow(expected), "it is missing")
  }
  if (!isSnapshotKnown) throw new StoreCorrupt(segmentRow(last.sequence), "it does not know the snapshot")
  return { open: last, records, uncoveredRecords, logBytes }
}

/** Names the row in what goes wrong with its content. */
function inRow(row: string, work: () => void): void {
  try {
    work()
  } catch (error) {
    if (error instanceof StoreCorrupt || error instanceof StoreUnavailable) throw error
    throw new StoreCorrupt(row, error instanceof Error ? error.message : String(error))
  }
}
