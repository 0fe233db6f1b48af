import { StoreCorrupt } from "../types/errors.js"
import { ByteReader } from "./byte-reader.js"
import { HASH_BYTES, KIND, beginRow, openRow, sameBytes, sealRow } from "./envelope.js"
import type { LedgerPort } from "./sql-port.js"

/*
 * A snapshot is the state after a segment, in as many rows as it needs:
 *
 *   │ kind │ format │ part u32 │ parts u32 │ sequence f64 │ hash of that segment (32) │ hash of the part before (32) │ bytes … │ hash (32) │
 *
 * The parts' bytes, one after the other, are what `LedgerState.save` wrote.
 */

/** Rows stay well below the 2 MB that a Durable Object allows. */
const PART_BYTES = 1_000_000

/** The state after the segment `sequence`. */
export interface Snapshot {
  readonly sequence: number
  /** The hash of that segment, where the chain goes on. */
  readonly chainHash: Uint8Array
  readonly state: Uint8Array
}

/** The rows of a snapshot, in order. */
export async function writeSnapshot(port: LedgerPort, { sequence, chainHash, state }: Snapshot): Promise<Uint8Array[]> {
  const parts = Math.max(1, Math.ceil(state.length / PART_BYTES))
  const rows: Uint8Array[] = []
  let partHash: Uint8Array = new Uint8Array(HASH_BYTES)
  for (let part = 0; part < parts; part++) {
    const row = beginRow(KIND.snapshot)
    row.u32(part)
    row.u32(parts)
    row.f64(sequence)
    row.bytes(chainHash)
    row.bytes(partHash)
    row.block(state.subarray(part * PART_BYTES, (part + 1) * PART_BYTES))
    const { body, hash } = await sealRow(port, row)
    rows.push(body)
    partHash = hash
  }
  return rows
}

/** Reads the rows of a snapshot. @throws {StoreCorrupt} {StoreVersion} */
export async function readSnapshot(port: LedgerPort, rows: readonly Uint8Array[]): Promise<Snapshot> {
  const pieces: Uint8Array[] = []
  let first: { sequence: number; chainHash: Uint8Array; parts: number } | null = null
  let partHash: Uint8Array = new Uint8Array(HASH_BYTES)
  for (const [index, body] of rows.entries()) {
    const row = snapshotRow(index)
    const { content, hash } = await openRow(port, row, KIND.snapshot, body, (reader) => ({
      part: reader.u32(),
      parts: reader.u32(),
      sequence: reader.f64(),
      chainHash: reader.bytes(HASH_BYTES),
      partHash: reader.bytes(HASH_BYTES),
      bytes: reader.block(),
    }))
    first ??= content
    const fits = content.part === index && content.parts === rows.length && content.sequence === first.sequence
    if (!fits || !sameBytes(content.partHash, partHash)) throw new StoreCorrupt(row, "it does not follow the part before")
    pieces.push(content.bytes)
    partHash = hash
  }
  if (first === null) throw new StoreCorrupt("the snapshot", "it has no row")
  const state = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0))
  let at = 0
  for (const piece of pieces) {
    state.set(piece, at)
    at += piece.length
  }
  return { sequence: first.sequence, chainHash: first.chainHash.slice(), state }
}

/** A reader of a snapshot's state. */
export function stateReader(snapshot: Snapshot): ByteReader {
  return new ByteReader(snapshot.state)
}

/** What errors call a part of a snapshot. */
export function snapshotRow(part: number): string {
  return `snapshot part ${part}`
}
