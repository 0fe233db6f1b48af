import type { Core } from "../engine/core.js"
import { StoreCorrupt, StoreUnavailable } from "../types/errors.js"
import { LedgerState, type StateOptions } from "./ledger-state.js"
import { loadSteps } from "./load-state.js"
import { META_ROW, readMeta } from "./meta.js"
import { Replay } from "./replay.js"
import { type Segment, segmentRow } from "./segment.js"
import { chainStart, readNext, requireCovered } from "./segment-chain.js"
import { readSnapshots } from "./snapshot.js"
import type { LedgerPort, LogRow } from "./sql-port.js"
import type { Turns } from "./turns.js"
import { withMemory } from "./with-memory.js"

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
  /**
   * Rows that nothing needs, in the order in which they may go: a compaction was not finished, or not cleaned up after.
   */
  readonly leftIds: readonly number[]
}

/**
 * Reads a whole log: the snapshot, then the segments after it in order. Every row's hash, kind, sequence and place in
 * the chain is checked, and every record's outcome. Nothing is written.
 *
 * @param log the rows by id, ascending, each taken when its turn comes
 * @param turns divides the work; without them it is done at once, as far as the platform hashes at once
 * @throws {StoreCorrupt} naming the first row that cannot be what was written, {StoreVersion}, {StoreUnavailable} where
 *   there is no memory for what is stored
 */
export async function recover(
  port: LedgerPort,
  core: Core,
  log: Iterable<LogRow>,
  { turns, ...stateOptions }: StateOptions & { readonly turns?: Turns } = {},
): Promise<Recovered> {
  const rows = new RowReader(log, turns)
  const parts = await rows.takeBefore(0)
  const meta = await rows.take()
  if (meta?.id !== 0) throw new StoreCorrupt(META_ROW, "it is missing")
  const { content, hash: metaHash } = await readMeta(port, meta.body)
  const { snapshot, ids: snapshotIds, leftIds, missingPart } = await readSnapshots(port, parts, metaHash, turns)
  // The first segments can only be gone where a snapshot was in force.
  if (snapshot === null && missingPart !== null && (rows.next?.id ?? 1) > 1) {
    throw new StoreCorrupt(missingPart, "it is missing")
  }
  const { sequence: coveredSequence, oldestSequence, chainHash } = snapshot ?? noSnapshot(metaHash)
  const state = new LedgerState(core, content.seed, content.id, stateOptions)
  const replay = new Replay(state)
  try {
    const run: Run = (row, steps) => runSteps(row, core, steps, turns)
    if (snapshot !== null) await run("the snapshot", loadSteps(state, snapshot.state))
    const covered = { coveredSequence, oldestSequence, chainHash, metaHash, missingPart }
    const replayed = await replaySegments(port, replay, rows, run, covered)
    const leftSegments = replayed.ids.filter((id) => id < oldestSequence)
    return {
      state,
      bytes: rows.bytes,
      rows: rows.count,
      segments: replayed.ids.length,
      snapshotBytes: snapshot?.state.length ?? 0,
      snapshotIds,
      leftIds: [...leftIds, ...leftSegments],
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

/** Takes rows one after the other, and counts them. */
class RowReader {
  readonly #rows: Iterator<LogRow>
  readonly #turns: Turns | undefined
  /** The row that is taken next; `null` at the end. */
  next: LogRow | null
  bytes = 0
  count = 0

  constructor(rows: Iterable<LogRow>, turns: Turns | undefined) {
    this.#rows = rows[Symbol.iterator]()
    this.#turns = turns
    this.next = this.#read()
  }

  #read(): LogRow | null {
    const { done, value } = this.#rows.next()
    if (done) return null
    if (!(value.body instanceof Uint8Array)) throw new StoreCorrupt(`row ${value.id}`, "its body is no blob")
    this.bytes += value.body.length
    this.count += 1
    return value
  }

  async take(): Promise<LogRow | null> {
    const row = this.next
    if (row === null) return null
    const turn = this.#turns?.spend(row.body.length)
    if (turn !== undefined) await turn
    this.next = this.#read()
    return row
  }

  async takeBefore(id: number): Promise<LogRow[]> {
    const taken: LogRow[] = []
    while (this.next !== null && this.next.id < id) taken.push((await this.take())!)
    return taken
  }
}

/** Takes steps to their end, and names a row in what goes wrong. */
type Run = (row: string, steps: Generator<number, void>) => Promise<void>

async function runSteps(
  row: string,
  core: Core,
  steps: Generator<number, void>,
  turns: Turns | undefined,
): Promise<void> {
  const step = () => inRow(row, () => withMemory(core, () => steps.next()))
  try {
    if (turns === undefined) while (!step().done);
    else await turns.run(step)
  } finally {
    // Where it ended before, for an error between two steps.
    steps.return()
  }
}

interface Replayed extends Pick<Recovered, "open" | "records" | "uncoveredRecords" | "logBytes"> {
  /** The sequences of all segments. */
  readonly ids: readonly number[]
}

async function replaySegments(
  port: LedgerPort,
  replay: Replay,
  rows: RowReader,
  run: Run,
  { coveredSequence, oldestSequence, chainHash, metaHash, missingPart }: Covered,
): Promise<Replayed> {
  // Covered segments are history: checked, not applied. Their chain must lead to the snapshot's.
  // Those before the oldest one were about to be dropped.
  let expected = Math.min(oldestSequence, rows.next?.id ?? oldestSequence)
  let isSnapshotKnown = coveredSequence === 0
  const firstHash = expected === coveredSequence + 1 ? chainHash : expected === 1 ? metaHash : null
  let last: Segment | null = null
  let records = 0
  let uncoveredRecords = 0
  let logBytes = 0
  const ids: number[] = []
  for (let row = await rows.take(); row !== null; row = await rows.take()) {
    const { id, body } = row
    ids.push(id)
    if (id !== expected) throw new StoreCorrupt(segmentRow(expected), "it is missing")
    const segment = await readNext(port, row, last ?? chainStart(firstHash))
    if (id > coveredSequence && segment.coveredSequence > coveredSequence) {
      throw new StoreCorrupt(missingPart ?? "the snapshot", `it is missing or older than segment ${id}`)
    }
    if (id > coveredSequence && segment.coveredSequence === coveredSequence) isSnapshotKnown = true
    if (id === coveredSequence) requireCovered(segment, chainHash)
    if (id > coveredSequence) await run(segmentRow(id), replay.steps(segment))
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
  return { ids, open: last, records, uncoveredRecords, logBytes }
}

/** Names the row in what goes wrong with its content. */
function inRow<T>(row: string, work: () => T): T {
  try {
    return work()
  } catch (error) {
    if (error instanceof StoreCorrupt || error instanceof StoreUnavailable) throw error
    // A fault of the core says nothing of the row.
    if (error instanceof WebAssembly.RuntimeError) throw error
    throw new StoreCorrupt(row, error instanceof Error ? error.message : String(error))
  }
}
