import { StoreUnavailable } from "../types/errors.js"
import type { LedgerState } from "./ledger-state.js"
import type { LogFailure } from "./log-failure.js"
import type { LogTable } from "./log-table.js"
import type { LogWriter } from "./log-writer.js"
import { SnapshotWriter } from "./snapshot.js"
import type { LedgerPort, LogRow } from "./sql-port.js"
import type { StateSave } from "./state-save.js"

/** A part is hashed and written in about the time of a commit. */
const DEFAULT_PART_BYTES = 131_072
/** So much of the state is saved in one turn of the event loop. */
const TURN_BYTES = 32_768
/** About so many bytes of rows are dropped in one commit; and so many rows where nobody knows how large they are. */
const DROPPED_BYTES = 2_000_000
const DROPPED_ROWS = 16
const MAX_DROPPED_ROWS = 256

export interface CompactorOptions {
  /** How many covered segments a compaction keeps as history. */
  readonly historySegments?: number
  /**
   * Whether limits that say no more than new ones are removed: where callers define them with each check, none is
   * missed, and those that nobody asks for any more would stay for ever.
   */
  readonly dropsEmptyLimits?: boolean
  /** The most bytes of state in one row of a snapshot. Rows must stay below 2 MB in a Durable Object. */
  readonly partBytes?: number
}

/** What a compactor works on. */
export interface CompactorInput {
  readonly port: LedgerPort
  readonly table: LogTable
  readonly state: LedgerState
  readonly writer: LogWriter
  readonly options: CompactorOptions
  /** The hash of the meta row. */
  readonly metaHash: Uint8Array
  /** The first segment in the file. */
  readonly oldestSequence: number
  /** Ids of the rows of the snapshot in force, by part. */
  readonly snapshotIds: readonly number[]
  /** Once the ledger was closed, what it held is freed. */
  readonly failure: LogFailure
  /** Resolves when everything that was appended until now is in the file. */
  readonly commit: () => Promise<void>
  /** Runs `work` in the transaction of the next commit; resolves when that is made. */
  readonly withCommit: (work: () => void) => Promise<void>
  /** Called when every grant of units was taken back. */
  readonly onRestart: () => void
}

/** A compaction that has begun: everything up to the segment `sequence` is in the file. */
interface CompactionStart {
  readonly save: StateSave
  readonly sequence: number
  readonly chainHash: Uint8Array
  /** Bytes of the sealed segments that the snapshot is to cover. */
  readonly coveredBytes: number
  /** Records that the snapshot is to cover, and none before did, its own with them. */
  readonly records: number
}

/**
 * Puts a snapshot in place of the log that led to it, while commits go on.
 *
 *   1. One commit ends the open segment with a record: from here on the state forgets what says nothing. Nothing is
 *      copied; see `StateSave` for how the state of that moment is saved while it changes.
 *   2. One part after the other is made, a turn of the event loop each, and its row goes with the next commit. A
 *      snapshot without its last part is not in force: a crash leaves the one before, and rows that whoever opens the
 *      log drops.
 *   3. One commit writes the last part, takes the last part of the snapshot before, and notes in the open segment which
 *      snapshot is in force.
 *   4. What is not needed any more is dropped, some rows with each commit.
 *
 * Where the core has no memory for what is saved, or the disk no room for it, the rows that were written are dropped,
 * and the log stays as it is. What is saved is worked on to the end all the same, since the log tells that the state
 * forgets. A disk that has no room for the first of these commits is seen before that: then nothing was begun.
 */
export class Compactor {
  readonly #input: CompactorInput
  #oldestSequence: number
  #snapshotIds: readonly number[]

  constructor(input: CompactorInput) {
    this.#input = input
    this.#oldestSequence = input.oldestSequence
    this.#snapshotIds = input.snapshotIds
  }

  /** @returns how many records the snapshot now stands for; why it was given up, where it was */
  async compact(): Promise<number | StoreUnavailable> {
    const { port, failure } = this.#input
    failure.requireOpen()
    port.beginsLargeWrites?.()
    try {
      return await this.#replaceLog()
    } finally {
      try {
        port.endsLargeWrites?.()
      } catch {
        // A file that was closed meanwhile needs no upkeep; what is thrown is the error that ended the compaction.
      }
    }
  }

  async #replaceLog(): Promise<number | StoreUnavailable> {
    const { options, port, metaHash, failure, table, writer } = this.#input
    const { historySegments = 0, partBytes = DEFAULT_PART_BYTES } = options
    const lackToBegin = port.findLackFor?.(0) ?? null
    if (lackToBegin !== null) return notCompacted(lackToBegin)
    const { save, sequence, chainHash, coveredBytes, records } = await this.#begin()
    const oldestSequence = Math.max(this.#oldestSequence, sequence - historySegments + 1)
    const snapshot = new SnapshotWriter(port, { sequence, oldestSequence, chainHash }, metaHash)
    const ids: number[] = []
    let bytes = 0
    let last: LogRow | null = null
    let lack: string | null = null
    while (last === null) {
      const state = await this.#nextPart(save, partBytes)
      bytes += state.length
      const isLast = save.isDone
      lack ??= save.isLost ? "the memory for keys is full" : (port.findLackFor?.(state.length) ?? null)
      if (lack !== null) {
        if (!isLast) continue
        await this.#giveUp(ids, records)
        return notCompacted(lack)
      }
      const row = await snapshot.part(state, { isLast })
      ids.push(row.id)
      if (isLast) last = row
      else await this.#input.withCommit(() => table.writeRow(row.id, row.body))
    }
    const [first, ...others] = this.#drops(oldestSequence, coveredBytes)
    const { id, body } = last
    failure.requireOpen()
    writer.putInForce({ sequence, bytes })
    await this.#input.withCommit(() => {
      table.writeRow(id, body)
      table.drop(first ?? [])
    })
    this.#snapshotIds = ids
    this.#oldestSequence = oldestSequence
    for (const some of others) await this.#input.withCommit(() => table.drop(some))
    // Its own record is nothing that happened.
    return records - 1
  }

  /** Drops the parts that were written. */
  async #giveUp(ids: readonly number[], records: number): Promise<void> {
    this.#input.writer.giveUpCompaction(records)
    await this.dropLeft([...ids].reverse())
  }

  async #begin(): Promise<CompactionStart> {
    const { state, writer, options, onRestart, commit } = this.#input
    if (options.dropsEmptyLimits) this.#dropEmptyLimits()
    const record = state.compactRecord()
    writer.append(record)
    const { next, records } = writer.endSegment()
    const save = state.compact(record)
    onRestart()
    await commit()
    return {
      save,
      sequence: next.sequence - 1,
      chainHash: next.previousHash,
      coveredBytes: writer.coveredBytes,
      records,
    }
  }

  /** Each is a record like any removal, so that replaying the log removes it at the same moment. */
  #dropEmptyLimits(): void {
    const { state, writer } = this.#input
    const { timeMs } = state
    for (const limit of state.limits) {
      if (!limit.isEmpty) continue
      state.remove(limit)
      state.noteUse(timeMs)
      writer.append({ op: "remove", timeMs, limit: limit.number })
    }
  }

  /**
   * Ids of the rows that a new snapshot makes superfluous, by the commits that drop them. Each commit takes up to 16
   * parts of the snapshot before, and about 2 MB of segments. With 20 parts and 2,000 segments of 10 kB, of which two
   * are kept as history, the first drops 16 parts and 200 segments, the second 4 and 200, eight more the rest of the
   * segments.
   *
   * The first commit is that which puts the new snapshot in force, so it takes the last part of the one before, without
   * which that is not in force any more.
   */
  #drops(oldestSequence: number, coveredBytes: number): number[][] {
    const segments: number[] = []
    for (let sequence = this.#oldestSequence; sequence < oldestSequence; sequence++) segments.push(sequence)
    const parts = [...this.#snapshotIds].reverse()
    const rowBytes = coveredBytes / Math.max(1, segments.length)
    const together = Math.max(1, Math.min(MAX_DROPPED_ROWS, Math.floor(DROPPED_BYTES / Math.max(1, rowBytes))))
    const drops = slices(parts, DROPPED_ROWS)
    for (const [index, some] of slices(segments, together).entries()) {
      drops[index] = [...(drops[index] ?? []), ...some]
    }
    return drops
  }

  /** Drops rows that a compaction left which was not finished, in the order in which they may go. */
  async dropLeft(ids: readonly number[]): Promise<void> {
    const { table, withCommit } = this.#input
    for (const some of slices(ids, DROPPED_ROWS)) await withCommit(() => table.drop(some))
  }

  /** The next part of the state, made in short turns; callers that came meanwhile are heard before each. */
  async #nextPart(save: StateSave, partBytes: number): Promise<Uint8Array> {
    const { port, failure } = this.#input
    let isThere = false
    while (!isThere) {
      await new Promise<void>((resolve) => {
        port.defer(resolve)
      })
      failure.requireOpen()
      isThere = save.work(TURN_BYTES, partBytes)
    }
    return save.next(partBytes)
  }
}

/** @param lack what there is too little of */
function notCompacted(lack: string): StoreUnavailable {
  return new StoreUnavailable(`${lack}, and the log was not compacted`)
}

function slices(ids: readonly number[], count: number): number[][] {
  const all: number[][] = []
  for (let at = 0; at < ids.length; at += count) all.push(ids.slice(at, at + count))
  return all
}
