import { StoreCorrupt } from "../types/errors.js"
import { beginRow, HASH_BYTES, KIND, openRow, sameBytes, sealRow } from "./envelope.js"
import type { LedgerPort } from "./sql-port.js"

/*
 * A snapshot is the state after a segment, in as many rows as it needs:
 *
 *   │ kind │ format │ part u32 │ parts u32 │ sequence f64 │ oldest f64 │ hash of that segment (32) │
 *   │ hash of the part before, or of the meta row (32) │ bytes … │ hash (32) │
 *
 * The parts' bytes, one after the other, are what `LedgerState.save` wrote. `oldest` is the first segment that the
 * log still has, so that history cannot go missing unseen.
 */

/** The state after the segment `sequence`. */
export interface Snapshot {
  readonly sequence: number
  /** The first segment in the log: covered ones from here on are history. */
  readonly oldestSequence: number
  /** The hash of the segment `sequence`, where the chain goes on. */
  readonly chainHash: Uint8Array
  readonly state: Uint8Array
}

/** A snapshot that is read, and the format of its state. */
export interface ReadSnapshot extends Snapshot {
  readonly format: number
}

/**
 * The rows of a snapshot, in order.
 *
 * @param log the hash of the meta row, and how many bytes of state a row has at most
 */
export async function writeSnapshot(
  port: LedgerPort,
  { sequence, oldestSequence, chainHash, state }: Snapshot,
  { metaHash, partBytes }: { readonly metaHash: Uint8Array; readonly partBytes: number },
): Promise<Uint8Array[]> {
  const parts = Math.max(1, Math.ceil(state.length / partBytes))
  const rows: Uint8Array[] = []
  let partHash = metaHash
  for (let part = 0; part < parts; part++) {
    const row = beginRow(KIND.snapshot)
    row.u32(part)
    row.u32(parts)
    row.f64(sequence)
    row.f64(oldestSequence)
    row.bytes(chainHash)
    row.bytes(partHash)
    row.block(state.subarray(part * partBytes, (part + 1) * partBytes))
    const { body, hash } = await sealRow(port, row)
    rows.push(body)
    partHash = hash
  }
  return rows
}

/** Reads the rows of a snapshot, at least one. @throws {StoreCorrupt} {StoreVersion} */
export async function readSnapshot(
  port: LedgerPort,
  rows: readonly Uint8Array[],
  metaHash: Uint8Array,
): Promise<ReadSnapshot> {
  const pieces: Uint8Array[] = []
  let first: { sequence: number; oldestSequence: number; chainHash: Uint8Array } | null = null
  let partHash = metaHash
  let format = 0
  for (const [index, body] of rows.entries()) {
    const row = snapshotRow(index)
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
    first ??= content
    const isNext = content.part === index && sameBytes(content.partHash, partHash)
    if (!isNext) {
      throw new StoreCorrupt(row, `it does not follow ${index === 0 ? "the meta row" : "the part before"}`)
    }
    if (content.parts < rows.length) throw new StoreCorrupt(snapshotRow(content.parts), "it is one too many")
    if (content.parts > rows.length) throw new StoreCorrupt(snapshotRow(rows.length), "it is missing")
    if (index > 0 && partFormat !== format) throw new StoreCorrupt(row, `its format is ${partFormat}, not ${format}`)
    format = partFormat
    pieces.push(content.bytes)
    partHash = hash
  }
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
