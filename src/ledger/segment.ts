import { ByteReader, MalformedBytes } from "./byte-reader.js"
import { ByteWriter } from "./byte-writer.js"
import { beginRow, HASH_BYTES, KIND, openRow, type Sealed, sealRow } from "./envelope.js"
import { type LogRecord, RecordDecoder, RecordEncoder } from "./record.js"
import type { LedgerPort } from "./sql-port.js"

/*
 * A segment is one row of the log:
 *
 *   │ kind │ format │ flags u8 │ sequence f64 │ hash of the segment before (32) │ covered f64, where flagged │
 *   │ records u32 │ bytes u32 │ records … │ hash (32) │
 *
 * The last segment is open: commits append to it in place, so a commit is one row, and several small ones share a
 * page of the file. A full one is sealed, and the next, empty one is written in the same transaction; so the log
 * always ends with an open segment, and a missing end is seen as well as a missing middle.
 */
const SEALED_FLAG = 1
/**
 * A snapshot came into force while the segment was open: without it, or with an older one, the log is not whole. The last
 * segment that it covers stands in the row; in formats 1 and 2 it is the one before.
 */
const SNAPSHOT_FLAG = 2
const FIRST_TELLING_FORMAT = 3
/** What stands around the records at most. */
const FRAME_BYTES = 2 + 1 + 8 + HASH_BYTES + 8 + 4 + 4 + HASH_BYTES

/** A segment that is read. */
export interface Segment {
  readonly sequence: number
  readonly isSealed: boolean
  /** The last segment that a snapshot covers which came into force while this one was open; 0 where none did. */
  readonly coveredSequence: number
  readonly previousHash: Uint8Array
  readonly hash: Uint8Array
  /** How many records it has. */
  readonly count: number
  /** Their bytes, which `eachRecord` reads. */
  readonly records: Uint8Array
}

/** A segment that is being written. */
export class SegmentWriter {
  readonly sequence: number
  /** The hash of the segment before; known when that one is sealed. */
  previousHash: Uint8Array
  /** See `Segment`. */
  coveredSequence = 0
  readonly #records = new ByteWriter()
  readonly #encoder = new RecordEncoder(this.#records)
  #count = 0

  constructor(sequence: number, previousHash: Uint8Array = new Uint8Array(HASH_BYTES)) {
    this.sequence = sequence
    this.previousHash = previousHash
  }

  /** Goes on with a segment that is read. @throws {MalformedBytes} */
  static resume(segment: Segment): SegmentWriter {
    const writer = new SegmentWriter(segment.sequence, segment.previousHash)
    writer.coveredSequence = segment.coveredSequence
    eachRecord(segment, (record) => writer.append(record))
    return writer
  }

  /** Bytes of its records. */
  get length(): number {
    return this.#records.length
  }

  get count(): number {
    return this.#count
  }

  append(record: LogRecord): void {
    this.#encoder.write(record)
    this.#count += 1
  }

  /** The row as it is now. What is appended from here on is not in it. */
  seal(port: LedgerPort, { isSealed }: { readonly isSealed: boolean }): Promise<Sealed> {
    const row = beginRow(KIND.segment, { room: FRAME_BYTES + this.length })
    row.u8((isSealed ? SEALED_FLAG : 0) | (this.coveredSequence > 0 ? SNAPSHOT_FLAG : 0))
    row.f64(this.sequence)
    row.bytes(this.previousHash)
    if (this.coveredSequence > 0) row.f64(this.coveredSequence)
    row.u32(this.#count)
    row.u32(this.#records.length)
    row.append(this.#records)
    return sealRow(port, row)
  }
}

/** Reads a segment. @throws {StoreCorrupt} {StoreVersion} */
export async function readSegment(port: LedgerPort, sequence: number, body: Uint8Array): Promise<Segment> {
  const { content, hash } = await openRow(port, segmentRow(sequence), KIND.segment, body, (reader, format) => {
    const flags = reader.u8()
    if (flags > (SEALED_FLAG | SNAPSHOT_FLAG)) throw new MalformedBytes("its flags are unknown")
    const isSealed = (flags & SEALED_FLAG) !== 0
    const told = reader.f64()
    const previousHash = reader.bytes(HASH_BYTES).slice()
    let coveredSequence = 0
    if (flags & SNAPSHOT_FLAG) coveredSequence = format < FIRST_TELLING_FORMAT ? told - 1 : reader.f64()
    const count = reader.u32()
    const records = reader.bytes(reader.u32())
    return { isSealed, coveredSequence, sequence: told, previousHash, count, records }
  })
  return { ...content, hash }
}

/** Reads a segment's records, one after the other. @throws {MalformedBytes} */
export function eachRecord({ count, records }: Segment, use: (record: LogRecord) => void): void {
  const reader = new ByteReader(records)
  const decoder = new RecordDecoder(reader)
  for (let left = count; left > 0; left--) use(decoder.read())
  if (!reader.atEnd) throw new MalformedBytes("it has more bytes than records")
}

/** What errors call a segment. */
export function segmentRow(sequence: number): string {
  return `segment ${sequence}`
}
