import { StoreCorrupt } from "../types/errors.js"
import { sameBytes } from "./envelope.js"
import { META_ROW } from "./meta.js"
import { segmentRow } from "./segment.js"

/** How far a log reaches: the open segment, its records, and whose log it is. */
export interface LogEnd {
  readonly sequence: number
  readonly count: number
  /** The hash of the meta row. */
  readonly metaHash: Uint8Array
}

/**
 * Refuses a log that ends before a place that it is known to have reached: SQLite takes a file whose last writes were
 * lost for one that was never written so far.
 *
 * @throws {StoreCorrupt}
 */
export function requireEnd(found: LogEnd, least: LogEnd): void {
  if (!sameBytes(found.metaHash, least.metaHash)) throw new StoreCorrupt(META_ROW, "it is another store's")
  if (found.sequence < least.sequence) throw new StoreCorrupt(segmentRow(least.sequence), "it is missing")
  if (found.sequence === least.sequence && found.count < least.count) {
    const failure = `it has ${found.count} records, ${least.count} were committed`
    throw new StoreCorrupt(segmentRow(least.sequence), failure)
  }
}
