import type { Core } from "../engine/core.js"
import { StoreCorrupt, StoreUnavailable, StoreVersion } from "../types/errors.js"
import { LedgerState } from "./ledger-state.js"
import { loadState } from "./load-state.js"
import { META_ROW, readMeta } from "./meta.js"
import { Replay } from "./replay.js"
import { type Segment, SegmentWriter, segmentRow } from "./segment.js"
import { chainStart, readNext, requireCovered } from "./segment-chain.js"
import { type FoundSnapshots, type ReadSnapshot, readSnapshots, rowsBySnapshot, snapshotRows } from "./snapshot.js"
import type { LedgerPort, LogRow } from "./sql-port.js"

/** What is kept of a damaged log, and what is not. */
export interface Prefix {
  /** A log that opens; none where not even the meta row is right. */
  readonly rows: readonly LogRow[]
  /** Records in the segments that are kept. */
  readonly records: number
  /** Those of them that the snapshot stands for. */
  readonly historyRecords: number
  /** The rows that were given up, and why. */
  readonly gaveUp: readonly { readonly row: string; readonly failure: string }[]
  /** Whether that is no more than history, which the snapshot stands for: what was used is kept. */
  readonly keepsState: boolean
}

const PART_BYTES = 1_000_000

/**
 * The longest beginning of a log that is what was written: nothing after the first damage is believed, since what was
 * decided then was decided on what is lost. A damaged snapshot loses everything that only it told; damaged history,
 * which a snapshot covers, loses the history.
 *
 * @param log rows by id, ascending; those that could not be read left out
 */
export async function longestPrefix(port: LedgerPort, core: Core, log: readonly LogRow[]): Promise<Prefix> {
  const gaveUp: { row: string; failure: string }[] = []
  let keepsState = true
  const giveUpHistory = (row: string, failure: string) => gaveUp.push({ row, failure })
  const giveUp = (row: string, failure: string) => {
    keepsState = false
    gaveUp.push({ row, failure })
  }
  const metaRow = log.find(({ id }) => id === 0)
  const meta = metaRow && (await whole(META_ROW, () => readMeta(port, metaRow.body), giveUp))
  if (metaRow === undefined) giveUp(META_ROW, "it is missing")
  if (meta === undefined) {
    for (const { id } of log) if (id > 0) giveUp(segmentRow(id), "the row that it stands on is lost")
    return { rows: [], records: 0, historyRecords: 0, gaveUp, keepsState }
  }
  const parts = log.filter(({ id }) => id < 0)
  const segments = log.filter(({ id }) => id > 0)
  const found = await snapshotsOf(port, parts, segments, meta.hash, giveUp)
  const state = new LedgerState(core, meta.content.seed, meta.content.id)
  const replay = new Replay(state)
  try {
    const snapshot = await loaded(state, found.snapshot, giveUp)
    const history = await historyOf(port, segments, snapshot, meta.hash, giveUpHistory)
    const next = (snapshot?.sequence ?? 0) + 1
    const chainHash = snapshot?.chainHash ?? meta.hash
    const live = await liveOf(port, segments, { next, chainHash, replay, snapshot }, giveUp)
    const last = live.at(-1)
    const open: LogRow[] = []
    if (last === undefined || last.segment.isSealed) {
      const writer = new SegmentWriter(
        last === undefined ? next : last.segment.sequence + 1,
        last?.segment.hash ?? chainHash,
      )
      if (!live.some(({ segment }) => knows(segment, snapshot))) writer.coveredSequence = snapshot?.sequence ?? 0
      open.push({ id: writer.sequence, body: writer.seal(port, { isSealed: false }).body })
    }
    const kept = [...history, ...live]
    const inForce = parts.filter(({ id }) => snapshot !== undefined && found.ids.includes(id))
    const keptParts = snapshot === undefined ? [] : await snapshotParts(port, snapshot, history, inForce, meta.hash)
    return {
      rows: [...keptParts, metaRow!, ...kept.map(({ row }) => row), ...open],
      records: recordsOf(kept),
      historyRecords: recordsOf(history),
      gaveUp,
      keepsState,
    }
  } finally {
    replay.end()
    state.free()
  }
}

/** What is right of the snapshots; one that was in force and is not whole is given up. */
async function snapshotsOf(
  port: LedgerPort,
  parts: readonly LogRow[],
  segments: readonly LogRow[],
  metaHash: Uint8Array,
  giveUp: GiveUp,
): Promise<FoundSnapshots> {
  let found: FoundSnapshots = { snapshot: null, ids: [], leftIds: [], missingPart: null }
  // One that is not in force may be damaged by itself.
  for (const rows of rowsBySnapshot(parts).values()) {
    const each = await whole("the snapshot", () => readSnapshots(port, [...rows].reverse(), metaHash), giveUp)
    if (each === undefined || (each.snapshot === null && found.snapshot !== null)) continue
    if (found.snapshot !== null) giveUp("the snapshot", "there are two")
    found = each
  }
  if (found.snapshot === null && found.missingPart !== null && (segments[0]?.id ?? 1) > 1) {
    giveUp(found.missingPart, "it is missing")
  }
  return found
}

async function loaded(
  state: LedgerState,
  snapshot: ReadSnapshot | null,
  giveUp: GiveUp,
): Promise<ReadSnapshot | undefined> {
  if (snapshot === null) return undefined
  const load = async () => {
    loadState(state, snapshot.state)
    return snapshot
  }
  return whole("the snapshot", load, giveUp)
}

/** Whether the snapshot came into force while a segment was open. */
function knows(segment: Segment, snapshot: ReadSnapshot | undefined): boolean {
  return segment.coveredSequence === (snapshot?.sequence ?? 0)
}

interface Kept {
  readonly row: LogRow
  readonly segment: Segment
}
type GiveUp = (row: string, failure: string) => void

function recordsOf(kept: readonly Kept[]): number {
  return kept.reduce((sum, { segment }) => sum + segment.count, 0)
}

/** The covered segments that are kept as history: all, or none where one of them is damaged. */
async function historyOf(
  port: LedgerPort,
  segments: readonly LogRow[],
  snapshot: ReadSnapshot | undefined,
  metaHash: Uint8Array,
  giveUp: GiveUp,
): Promise<Kept[]> {
  if (snapshot === undefined) return []
  const { sequence, oldestSequence, chainHash } = snapshot
  const kept: Kept[] = []
  const covered = segments.filter(({ id }) => id <= sequence)
  const isRight = await whole(
    "the history",
    async () => {
      let previous: Segment | undefined
      // Those before the oldest one were about to be dropped.
      for (let id = Math.min(oldestSequence, covered[0]?.id ?? oldestSequence); id <= sequence; id++) {
        const row = covered.find((each) => each.id === id)
        if (row === undefined) throw new StoreCorrupt(segmentRow(id), "it is missing")
        const segment = await readNext(port, row, previous ?? chainStart(id === 1 ? metaHash : null))
        if (id === sequence) requireCovered(segment, chainHash)
        previous = segment
        if (id >= oldestSequence) kept.push({ row, segment })
      }
      return true
    },
    giveUp,
  )
  return isRight ? kept : []
}

/** The segments after the snapshot, as far as each is right and follows the one before. */
async function liveOf(
  port: LedgerPort,
  segments: readonly LogRow[],
  {
    next,
    chainHash,
    replay,
    snapshot,
  }: {
    readonly next: number
    readonly chainHash: Uint8Array
    readonly replay: Replay
    readonly snapshot: ReadSnapshot | undefined
  },
  giveUp: GiveUp,
): Promise<Kept[]> {
  const kept: Kept[] = []
  const rest = segments.filter(({ id }) => id >= next || snapshot === undefined)
  const covered = snapshot?.sequence ?? 0
  for (const [index, row] of rest.entries()) {
    const expected = next + index
    const before = kept.at(-1)?.segment ?? chainStart(chainHash)
    const segment = await whole(
      segmentRow(row.id),
      async () => {
        if (row.id !== expected) throw new StoreCorrupt(segmentRow(expected), "it is missing")
        const read = await readNext(port, row, before)
        if (read.coveredSequence > covered) {
          throw new StoreCorrupt(segmentRow(row.id), "the snapshot that it stands on is missing or older")
        }
        if (!read.isSealed && !knows(read, snapshot) && !kept.some((each) => knows(each.segment, snapshot))) {
          throw new StoreCorrupt(segmentRow(row.id), "it does not know the snapshot")
        }
        replay.segment(read)
        return read
      },
      giveUp,
    )
    if (segment === undefined) {
      for (const { id } of rest.slice(index + (row.id === expected ? 1 : 0))) {
        giveUp(segmentRow(id), "a row that it stands on is lost")
      }
      break
    }
    kept.push({ row, segment })
  }
  return kept
}

/** The snapshot's rows, made anew where the first segment that is kept is not the one that they name. */
async function snapshotParts(
  port: LedgerPort,
  snapshot: ReadSnapshot,
  history: readonly Kept[],
  rows: readonly LogRow[],
  metaHash: Uint8Array,
): Promise<LogRow[]> {
  const oldestSequence = history[0]?.segment.sequence ?? snapshot.sequence + 1
  if (oldestSequence === snapshot.oldestSequence) return [...rows]
  const parts = await snapshotRows(port, { ...snapshot, oldestSequence }, { metaHash, partBytes: PART_BYTES })
  return parts.reverse()
}

/**
 * What `work` gives, or nothing where a row is not what was written. Other versions' rows are not for this one to
 * judge, nor any where there is no memory.
 *
 * @param what it reads, where the fault does not say
 */
async function whole<T>(what: string, work: () => Promise<T>, giveUp: GiveUp): Promise<T | undefined> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof StoreVersion || error instanceof StoreUnavailable) throw error
    if (error instanceof StoreCorrupt) giveUp(error.row, error.failure)
    else giveUp(what, error instanceof Error ? error.message : String(error))
    return undefined
  }
}
