import type { Core } from "../engine/core.js"
import { StoreCorrupt, StoreVersion } from "../types/errors.js"
import { sameBytes } from "./envelope.js"
import { LedgerState } from "./ledger-state.js"
import { META_ROW, readMeta } from "./meta.js"
import { eachRecord, readSegment, type Segment, SegmentWriter, segmentRow } from "./segment.js"
import { type ReadSnapshot, readSnapshot, writeSnapshot } from "./snapshot.js"
import type { LedgerPort, LogRow } from "./sql-port.js"

/** What is kept of a damaged log, and what is not. */
export interface Prefix {
  /** A log that opens; none where not even the meta row is right. */
  readonly rows: readonly LogRow[]
  /** Records in the segments that are kept. */
  readonly records: number
  /** The rows that were given up, and why. */
  readonly gaveUp: readonly { readonly row: string; readonly failure: string }[]
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
  const giveUp = (row: string, failure: string) => gaveUp.push({ row, failure })
  const metaRow = log.find(({ id }) => id === 0)
  const meta = metaRow && (await whole(META_ROW, () => readMeta(port, metaRow.body), giveUp))
  if (metaRow === undefined) giveUp(META_ROW, "it is missing")
  if (meta === undefined) {
    for (const { id } of log) if (id > 0) giveUp(segmentRow(id), "the row that it stands on is lost")
    return { rows: [], records: 0, gaveUp }
  }
  const state = new LedgerState(core, meta.content.seed, meta.content.id)
  try {
    const snapshotRows = log.filter(({ id }) => id < 0).reverse()
    const snapshot =
      snapshotRows.length === 0
        ? undefined
        : await whole(
            "the snapshot",
            async () => {
              const read = await readSnapshot(
                port,
                snapshotRows.map(({ body }) => body),
                meta.hash,
              )
              state.load(read.state, read.format)
              return read
            },
            giveUp,
          )
    const segments = log.filter(({ id }) => id > 0)
    const history = await historyOf(port, segments, snapshot, giveUp)
    const next = (snapshot?.sequence ?? 0) + 1
    const chainHash = snapshot?.chainHash ?? meta.hash
    const live = await liveOf(port, segments, { next, chainHash, state, hasSnapshot: snapshot !== undefined }, giveUp)
    const last = live.at(-1)
    const open: LogRow[] = []
    if (last === undefined || last.segment.isSealed) {
      const writer = new SegmentWriter(
        last === undefined ? next : last.segment.sequence + 1,
        last?.segment.hash ?? chainHash,
      )
      writer.isAfterSnapshot = snapshot !== undefined && last === undefined
      open.push({ id: writer.sequence, body: (await writer.seal(port, { isSealed: false })).body })
    }
    const kept = [...history, ...live]
    const parts = snapshot === undefined ? [] : await snapshotParts(port, snapshot, history, snapshotRows, meta.hash)
    return {
      rows: [...parts, metaRow!, ...kept.map(({ row }) => row), ...open],
      records: kept.reduce((sum, { segment }) => sum + segment.count, 0),
      gaveUp,
    }
  } finally {
    state.free()
  }
}

interface Kept {
  readonly row: LogRow
  readonly segment: Segment
}
type GiveUp = (row: string, failure: string) => void

/** The covered segments that are kept as history: all, or none where one of them is damaged. */
async function historyOf(
  port: LedgerPort,
  segments: readonly LogRow[],
  snapshot: ReadSnapshot | undefined,
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
      for (let id = oldestSequence; id <= sequence; id++) {
        const row = covered.find((each) => each.id === id)
        if (row === undefined) throw new StoreCorrupt(segmentRow(id), "it is missing")
        const segment = await readSegment(port, id, row.body)
        const follows = previous === undefined || sameBytes(segment.previousHash, previous.hash)
        if (segment.sequence !== id || !segment.isSealed || !follows) {
          throw new StoreCorrupt(segmentRow(id), "it does not follow the segment before")
        }
        if (id === sequence && !sameBytes(segment.hash, chainHash)) {
          throw new StoreCorrupt(segmentRow(id), "it is not the segment that the snapshot covers")
        }
        previous = segment
        kept.push({ row, segment })
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
    state,
    hasSnapshot,
  }: {
    readonly next: number
    readonly chainHash: Uint8Array
    readonly state: LedgerState
    readonly hasSnapshot: boolean
  },
  giveUp: GiveUp,
): Promise<Kept[]> {
  const kept: Kept[] = []
  let previousHash = chainHash
  const rest = segments.filter(({ id }) => id >= next || !hasSnapshot)
  for (const [index, row] of rest.entries()) {
    const expected = next + index
    const before = kept.at(-1)?.segment
    const segment = await whole(
      segmentRow(row.id),
      async () => {
        if (row.id !== expected) throw new StoreCorrupt(segmentRow(expected), "it is missing")
        if (before !== undefined && !before.isSealed) {
          throw new StoreCorrupt(segmentRow(row.id), "the segment before it is still open")
        }
        const read = await readSegment(port, row.id, row.body)
        const isStart = index === 0 && hasSnapshot
        if (
          read.sequence !== row.id ||
          !sameBytes(read.previousHash, previousHash) ||
          read.isAfterSnapshot !== isStart
        ) {
          throw new StoreCorrupt(segmentRow(row.id), "it does not follow the row before")
        }
        eachRecord(read, (record) => state.replay(record))
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
    previousHash = segment.hash
  }
  return kept
}

/** The snapshot's rows, with the first segment that is kept told anew where that changed. */
async function snapshotParts(
  port: LedgerPort,
  snapshot: ReadSnapshot,
  history: readonly Kept[],
  rows: readonly LogRow[],
  metaHash: Uint8Array,
): Promise<LogRow[]> {
  const oldestSequence = history[0]?.segment.sequence ?? snapshot.sequence + 1
  if (oldestSequence === snapshot.oldestSequence) return [...rows].reverse()
  const parts = await writeSnapshot(port, { ...snapshot, oldestSequence }, { metaHash, partBytes: PART_BYTES })
  return parts.map((body, part) => ({ id: -1 - part, body })).reverse()
}

/**
 * What `work` gives, or nothing where a row is not what was written. Other versions' rows are not for this one to judge.
 *
 * @param what it reads, where the fault does not say
 */
async function whole<T>(what: string, work: () => Promise<T>, giveUp: GiveUp): Promise<T | undefined> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof StoreVersion) throw error
    if (error instanceof StoreCorrupt) giveUp(error.row, error.failure)
    else giveUp(what, error instanceof Error ? error.message : String(error))
    return undefined
  }
}
