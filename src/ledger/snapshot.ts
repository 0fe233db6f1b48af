import { StoreCorrupt } from "../types/errors.js"
import { beginRow, HASH_BYTES, KIND, openRow, sameBytes, sealRow } from "./envelope.js"
import type { LedgerPort, LogRow } from "./sql-port.js"
import type { Turns } from "./turns.js"

/*
 * A snapshot is the state after a segment, in as many rows as it needs:
 *
 *   │ kind │ format │ part u32 │ parts u32 │ sequence f64 │ oldest f64 │ hash of that segment (32) │
 *   │ hash of the part before, or of the meta row (32) │ bytes … │ hash (32) │
 *
 * The parts' bytes, one after the other, are what a `StateSave` told. `oldest` is the first segment that the log still
 * has, so that history cannot go missing unseen. Only the last part tells how many there are, the others 0: a snapshot
 * without it is not in force, since it is not finished, or another one took its place.
 *
 * Its rows have ids of their own, so that it can be written beside the one in force:
 *
 *   id   −65,536 · sequence − part
 */
const MAX_PARTS = 65_536

/** The state after the segment `sequence`. */
export interface SnapshotHead {
  readonly sequence: number
  /** The first segment in the log: covered ones from here on are history. */
  readonly oldestSequence: number
  /** The hash of the segment `sequence`, where the chain goes on. */
  readonly chainHash: Uint8Array
}

/** A snapshot that is read. */
export interface ReadSnapshot extends SnapshotHead {
  readonly state: Uint8Array
}

/** Makes the rows of a snapshot, one after the other. */
export class SnapshotWriter {
  readonly #port: LedgerPort
  readonly #head: SnapshotHead
  #partHash: Uint8Array
  #parts = 0

  constructor(port: LedgerPort, head: SnapshotHead, metaHash: Uint8Array) {
    this.#port = port
    this.#head = head
    this.#partHash = metaHash
  }

  /** The row of the next part. @throws {RangeError} past 65,536 parts */
  async part(state: Uint8Array, { isLast }: { readonly isLast: boolean }): Promise<LogRow> {
    const { sequence, oldestSequence, chainHash } = this.#head
    const part = this.#parts
    if (part === MAX_PARTS) throw new RangeError(`Cannot write a snapshot of more than ${MAX_PARTS} parts.`)
    this.#parts += 1
    const row = beginRow(KIND.snapshot)
    row.u32(part)
    row.u32(isLast ? this.#parts : 0)
    row.f64(sequence)
    row.f64(oldestSequence)
    row.bytes(chainHash)
    row.bytes(this.#partHash)
    row.block(state)
    const { body, hash } = await sealRow(this.#port, row)
    this.#partHash = hash
    return { id: partId(sequence, part), body }
  }
}

/** The rows of a snapshot that was read, in order; each has at most `partBytes` of its state. */
export async function snapshotRows(
  port: LedgerPort,
  snapshot: ReadSnapshot,
  { metaHash, partBytes }: { readonly metaHash: Uint8Array; readonly partBytes: number },
): Promise<LogRow[]> {
  const { state } = snapshot
  const writer = new SnapshotWriter(port, snapshot, metaHash)
  const rows: LogRow[] = []
  for (let at = 0; at === 0 || at < state.length; at += partBytes) {
    rows.push(await writer.part(state.subarray(at, at + partBytes), { isLast: at + partBytes >= state.length }))
  }
  return rows
}

function partId(sequence: number, part: number): number {
  return -MAX_PARTS * sequence - part
}

/** What the rows of a log say of snapshots. */
export interface FoundSnapshots {
  /** The one in force. */
  readonly snapshot: ReadSnapshot | null
  /** Its rows' ids, by part. */
  readonly ids: readonly number[]
  /** Ids of rows of others, which are not finished, or were replaced: of each the last part first. */
  readonly leftIds: readonly number[]
  /** The part that is missing where none is in force, and one was not finished or has lost its last part. */
  readonly missingPart: string | null
}

/**
 * Reads the rows of all snapshots.
 *
 * @param rows those with an id below 0, by id, ascending
 * @param turns divides the work
 * @throws {StoreCorrupt} {StoreVersion}
 */
export async function readSnapshots(
  port: LedgerPort,
  rows: readonly LogRow[],
  metaHash: Uint8Array,
  turns?: Turns,
): Promise<FoundSnapshots> {
  let found: Pick<FoundSnapshots, "snapshot" | "ids"> = { snapshot: null, ids: [] }
  const leftIds: number[] = []
  let missingPart: string | null = null
  for (const [sequence, parts] of rowsBySnapshot(rows)) {
    const snapshot = await readParts(port, sequence, parts, metaHash, turns)
    const ids = parts.map(({ id }) => id)
    if (snapshot === null) {
      leftIds.push(...[...ids].reverse())
      missingPart = snapshotRow(parts.length)
    } else {
      if (found.snapshot !== null) throw new StoreCorrupt("the snapshot", "there are two")
      found = { snapshot, ids }
    }
  }
  return { ...found, leftIds, missingPart }
}

/** The rows of each snapshot by part. */
export function rowsBySnapshot(rows: readonly LogRow[]): Map<number, LogRow[]> {
  const bySequence = new Map<number, LogRow[]>()
  for (const row of [...rows].reverse()) {
    const sequence = Math.floor(-row.id / MAX_PARTS)
    const others = bySequence.get(sequence)
    if (others === undefined) bySequence.set(sequence, [row])
    else others.push(row)
  }
  return bySequence
}

/** One snapshot; `null` where it has no last part. */
async function readParts(
  port: LedgerPort,
  groupSequence: number,
  rows: readonly LogRow[],
  metaHash: Uint8Array,
  turns: Turns | undefined,
): Promise<ReadSnapshot | null> {
  // The parts' bytes are no more than their rows'.
  const state = new Uint8Array(rows.reduce((sum, { body }) => sum + body.length, 0))
  let length = 0
  let first: SnapshotHead | null = null
  let partHash = metaHash
  let isWhole = false
  for (const [index, { id, body }] of rows.entries()) {
    const row = snapshotRow(index)
    if (id !== partId(groupSequence, index)) throw new StoreCorrupt(row, "it is missing")
    const { content, hash } = await openRow(port, row, KIND.snapshot, body, (reader) => ({
      part: reader.u32(),
      parts: reader.u32(),
      sequence: reader.f64(),
      oldestSequence: reader.f64(),
      chainHash: reader.bytes(HASH_BYTES),
      partHash: reader.bytes(HASH_BYTES),
      bytes: reader.block(),
    }))
    if (content.part !== index || !sameBytes(content.partHash, partHash)) {
      throw new StoreCorrupt(row, `it does not follow ${index === 0 ? "the meta row" : "the part before"}`)
    }
    first ??= content
    if (content.sequence !== groupSequence || content.oldestSequence !== first.oldestSequence) {
      throw new StoreCorrupt(row, "it is of another snapshot")
    }
    if (isWhole) throw new StoreCorrupt(row, "it is one too many")
    isWhole = content.parts === index + 1
    if (!isWhole && content.parts !== 0) throw new StoreCorrupt(row, `it is one of ${content.parts} parts`)
    state.set(content.bytes, length)
    length += content.bytes.length
    partHash = hash
    const turn = turns?.spend(body.length)
    if (turn !== undefined) await turn
  }
  if (!isWhole) return null
  const { sequence, oldestSequence, chainHash } = first!
  return { sequence, oldestSequence, chainHash: chainHash.slice(), state: state.subarray(0, length) }
}

/** What errors call a part of a snapshot. */
export function snapshotRow(part: number): string {
  return `snapshot part ${part}`
}
