import { StoreCorrupt } from "../types/errors.js"
import { sameBytes } from "./envelope.js"
import { readSegment, type Segment, segmentRow } from "./segment.js"
import type { LedgerPort, LogRow } from "./sql-port.js"

/** What a segment follows: the segment before it, or what the chain begins with. */
export interface ChainEnd {
  /** `null` where what the first segment follows is no longer in the log. */
  readonly hash: Uint8Array | null
  readonly isSealed: boolean
}

/** Where a chain of segments begins. */
export function chainStart(hash: Uint8Array | null): ChainEnd {
  return { hash, isSealed: true }
}

/** Reads the segment of a row, which follows what came before. @throws {StoreCorrupt} where it does not */
export async function readNext(port: LedgerPort, { id, body }: LogRow, before: ChainEnd): Promise<Segment> {
  const row = segmentRow(id)
  if (!before.isSealed) throw new StoreCorrupt(row, "the segment before it is still open")
  const segment = await readSegment(port, id, body)
  if (segment.sequence !== id) throw new StoreCorrupt(row, `it is segment ${segment.sequence}`)
  if (before.hash !== null && !sameBytes(segment.previousHash, before.hash)) {
    throw new StoreCorrupt(row, "it does not follow the segment before")
  }
  return segment
}

/** @throws {StoreCorrupt} where a segment is not the last one that a snapshot covers */
export function requireCovered({ sequence, hash, isSealed }: Segment, chainHash: Uint8Array): void {
  if (isSealed && sameBytes(hash, chainHash)) return
  throw new StoreCorrupt(segmentRow(sequence), "it is not the segment that the snapshot covers")
}
