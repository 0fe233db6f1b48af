import { StoreCorrupt } from "../types/errors.js"
import { beginRow, FORMAT, HASH_BYTES, KIND, openRow, sameBytes, sealRow } from "./envelope.js"
import type { LedgerPort, LogRow } from "./sql-port.js"

/*
 * A snapshot is the state after a segment, in as many rows as it needs:
 *
 *   │ kind │ format │ part u32 │ parts u32 │ sequence f64 │ oldest f64 │ hash of that segment (32) │
 *   │ hash of the part before, or of the meta row (32) │ bytes … │ hash (32) │
 *
 * The parts' bytes, one after the other, are what a `StateSave` told. `oldest` is the first segment that the log still has,
 * so that history cannot go missing unseen. Only the last part tells how many there are, the others 0: a snapshot without it
 * is not in force, since it is not finished, or another one took its place. In formats 1 and 2 every part tells it.
 *
 * Its rows have ids of their own, so that it can be written beside the one in force:
 *
 *   id   −1 − part in formats 1 and 2, −65,536 · sequence − part from format 3 on
 */
const PARTS_MAX = 65_536
const FIRST_SLICED_FORMAT = 3

/** The state after the segment `sequence`. */
export interface SnapshotHead {
  readonly sequence: number
  /** The first segment in the log: covered ones from here on are history. */
  readonly oldestSequence: number
  /** The hash of the segment `sequence`, where the chain goes on. */
  readonly chainHash: Uint8Array
}

/** A snapshot that is read, and the format of its state. */
export interface ReadSnapshot extends SnapshotHead {
  readonly state: Uint8Array
  readonly format: number
}

/** An older format that a snapshot is written in, since its state is; and how many parts it will have. */
interface OldFormat {
  readonly format: number
  readonly parts: number
}

/** Makes the rows of a snapshot, one after the other. */
export class SnapshotWriter {
  readonly #port: LedgerPort
  readonly #head: SnapshotHead
  #partHash: Uint8Array
  readonly #format: number
  /** How many parts there will be, where each is to tell. */
  readonly #partsToTell: number | null
  #parts = 0

  constructor(port: LedgerPort, head: SnapshotHead, metaHash: Uint8Array, old?: OldFormat) {
    this.#port = port
    this.#head = head
    this.#partHash = metaHash
    this.#format = old?.format ?? FORMAT
    this.#partsToTell = old !== undefined && old.format < FIRST_SLICED_FORMAT ? old.parts : null
  }

  /** The row of the next part. @throws {RangeError} past 65,536 parts */
  async part(state: Uint8Array, { isLast }: { readonly isLast: boolean }): Promise<LogRow> {
    const { sequence, oldestSequence, chainHash } = this.#head
    const part = this.#parts
    if (part === PARTS_MAX) throw new RangeError(`Cannot write a snapshot of more than ${PARTS_MAX} parts.`)
    this.#parts += 1
    const row = beginRow(KIND.snapshot, this.#format)
    row.u32(part)
    row.u32(this.#partsToTell ?? (isLast ? this.#parts : 0))
    row.f64(sequence)
    row.f64(oldestSequence)
    row.bytes(chainHash)
    row.bytes(this.#partHash)
    row.block(state)
    const { body, hash } = await sealRow(this.#port, row)
    this.#partHash = hash
    return { id: this.#partsToTell === null ? partId(sequence, part) : -1 - part, body }
  }
}

/** The rows of a snapshot that was read, in order, in its own format; each has at most `partBytes` of its state. */
export async function snapshotRows(
  port: LedgerPort,
  snapshot: ReadSnapshot,
  { metaHash, partBytes }: { readonly metaHash: Uint8Array; readonly partBytes: number },
): Promise<LogRow[]> {
  const { state, format } = snapshot
  const parts = Math.max(1, Math.ceil(state.length / partBytes))
  const writer = new SnapshotWriter(port, snapshot, metaHash, { format, parts })
  const rows: LogRow[] = []
  for (let at = 0; at === 0 || at < state.length; at += partBytes) {
    rows.push(await writer.part(state.subarray(at, at + partBytes), { isLast: at + partBytes >= state.length }))
  }
  return rows
}

function partId(sequence: number, part: number): number {
  return -PARTS_MAX * sequence - part
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
 * @throws {StoreCorrupt} {StoreVersion}
 */
export async function readSnapshots(
  port: LedgerPort,
  rows: readonly LogRow[],
  metaHash: Uint8Array,
): Promise<FoundSnapshots> {
  let found: Pick<FoundSnapshots, "snapshot" | "ids"> = { snapshot: null, ids: [] }
  const leftIds: number[] = []
  let missingPart: string | null = null
  for (const [sequence, parts] of rowsBySnapshot(rows)) {
    const snapshot = await readParts(port, sequence, parts, metaHash)
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

/** The rows of each snapshot by part; under 0 those of formats 1 and 2. */
export function rowsBySnapshot(rows: readonly LogRow[]): Map<number, LogRow[]> {
  const bySequence = new Map<number, LogRow[]>()
  for (const row of [...rows].reverse()) {
    const sequence = Math.floor(-row.id / PARTS_MAX)
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
): Promise<ReadSnapshot | null> {
  const pieces: Uint8Array[] = []
  let first: SnapshotHead | null = null
  let partHash = metaHash
  let format = 0
  let isWhole = false
  for (const [index, { id, body }] of rows.entries()) {
    const row = snapshotRow(index)
    if (id !== (groupSequence === 0 ? -1 - index : partId(groupSequence, index)))
      throw new StoreCorrupt(row, "it is missing")
    const {
      content,
      hash,
      format: partFormat,
    } = await openRow(port, row, KIND.snapshot, body, (reader) => ({
      part: reader.u32(),
      parts: reader.u32(),
      sequence: reader.f64(),
      oldestSequence: reader.f64(),
      chainHash: reader.bytes(HASH_BYTES),
      partHash: reader.bytes(HASH_BYTES),
      bytes: reader.block(),
    }))
    const isSliced = partFormat >= FIRST_SLICED_FORMAT
    if (content.part !== index || !sameBytes(content.partHash, partHash)) {
      throw new StoreCorrupt(row, `it does not follow ${index === 0 ? "the meta row" : "the part before"}`)
    }
    first ??= content
    const isOfGroup = content.sequence === first.sequence && content.oldestSequence === first.oldestSequence
    if (!isOfGroup || groupSequence !== (isSliced ? content.sequence : 0)) {
      throw new StoreCorrupt(row, "it is of another snapshot")
    }
    if (index > 0 && partFormat !== format) throw new StoreCorrupt(row, `its format is ${partFormat}, not ${format}`)
    if (isWhole) throw new StoreCorrupt(row, "it is one too many")
    isWhole = content.parts === index + 1
    if (!isWhole && (isSliced ? content.parts !== 0 : content.parts <= index)) {
      throw new StoreCorrupt(row, `it is one of ${content.parts} parts`)
    }
    format = partFormat
    pieces.push(content.bytes)
    partHash = hash
  }
  if (!isWhole && format < FIRST_SLICED_FORMAT) throw new StoreCorrupt(snapshotRow(rows.length), "it is missing")
  if (!isWhole) return null
  const { sequence, oldestSequence, chainHash } = first!
  return { sequence, oldestSequence, chainHash: chainHash.slice(), state: joined(pieces), format }
}

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0))
  let at = 0
  for (const piece of pieces) {
    bytes.set(piece, at)
    at += piece.length
  }
  return bytes
}

/** What errors call a part of a snapshot. */
export function snapshotRow(part: number): string {
  return `snapshot part ${part}`
}
