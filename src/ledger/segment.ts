import { ByteReader, MalformedBytes } from "./byte-reader.js"
import type { ByteWriter } from "./byte-writer.js"
import { beginRow, HASH_BYTES, KIND, openRow, type Sealed } from "./envelope.js"
import { GrowingHash } from "./growing-hash.js"
import type { LogRecord } from "./record.js"
import { RecordDecoder } from "./record-decoder.js"
import { RecordEncoder } from "./record-encoder.js"
import type { LedgerPort } from "./sql-port.js"

/*
 * A segment is one row of the log:
 *
 *   │ kind │ format │ sequence f64 │ hash of the segment before (32) │ records … │
 *   │ covered f64, where flagged │ records u32 │ flags u8 │ hash (32) │
 *
 * The last segment is open: commits append to it in place, so a commit is one row, and several small ones share a page
 * of the file. What a commit changes stands at the end, so that its hash costs what is new. A full one is sealed, and
 * the next, empty one is written in the same transaction; so the log always ends with an open segment, and a missing
 * end is seen as well as a missing middle.
 */
const SEALED_FLAG = 1
/**
 * A snapshot came into force while the segment was open: without it, or with an older one, the log is not whole. The
 * last segment that it covers stands in the row.
 */
const SNAPSHOT_FLAG = 2
const HASH_BEFORE_AT = 2 + 8
const RECORDS_AT = HASH_BEFORE_AT + HASH_BYTES
const TAIL_BYTES = 4 + 1
const COVERED_BYTES = 8

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
  readonly #row: ByteWriter
  readonly #encoder: RecordEncoder
  #hash: GrowingHash | null = null
  #count = 0

  constructor(sequence: number, previousHash: Uint8Array = new Uint8Array(HASH_BYTES)) {
    this.sequence = sequence
    this.previousHash = previousHash
    this.#row = beginRow(KIND.segment)
    this.#row.f64(sequence)
    this.#row.bytes(previousHash)
    this.#encoder = new RecordEncoder(this.#row)
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
    return this.#row.length - RECORDS_AT
  }

  get count(): number {
    return this.#count
  }

  append(record: LogRecord): void {
    this.#encoder.write(record)
    this.#count += 1
  }

  /** The row as it is now, not copied: to be used before anything is appended. */
  seal(port: LedgerPort, { isSealed }: { readonly isSealed: boolean }): Sealed {
    const row = this.#row
    const { length } = row
    // The segment before is sealed by now, so its hash is known and does not change any more.
    if (this.#hash === null) row.replace(HASH_BEFORE_AT, this.previousHash)
    this.#hash ??= new GrowingHash(port)
    if (this.coveredSequence > 0) row.f64(this.coveredSequence)
    row.u32(this.#count)
    row.u8((isSealed ? SEALED_FLAG : 0) | (this.coveredSequence > 0 ? SNAPSHOT_FLAG : 0))
    const hash = this.#hash.of(row.written, length)
    row.bytes(hash)
    const body = row.written
    row.rewind(length)
    return { body, hash }
  }
}

/** Reads a segment. @throws {StoreCorrupt} {StoreVersion} */
export async function readSegment(port: LedgerPort, sequence: number, body: Uint8Array): Promise<Segment> {
  const { content, hash } = await openRow(port, segmentRow(sequence), KIND.segment, body, readContent)
  return { ...content, hash }
}

function readContent(reader: ByteReader): Omit<Segment, "hash"> {
  const sequence = reader.f64()
  const previousHash = reader.bytes(HASH_BYTES).slice()
  const rest = reader.rest()
  const flags = new ByteReader(rest.subarray(-1)).u8()
  if (flags > (SEALED_FLAG | SNAPSHOT_FLAG)) throw new MalformedBytes("its flags are unknown")
  const isTelling = (flags & SNAPSHOT_FLAG) !== 0
  const records = rest.subarray(0, Math.max(0, rest.length - TAIL_BYTES - (isTelling ? COVERED_BYTES : 0)))
  const tail = new ByteReader(rest.subarray(records.length))
  const coveredSequence = isTelling ? tail.f64() : 0
  const count = tail.u32()
  return { isSealed: (flags & SEALED_FLAG) !== 0, coveredSequence, sequence, previousHash, count, records }
}

/** Reads a segment's records, one after the other. @throws {MalformedBytes} */
export function eachRecord(segment: Segment, use: (record: LogRecord) => void): void {
  const steps = readRecords(segment, (decoder) => {
    use(decoder.read())
    return 1
  })
  while (!steps.next().done);
}

/**
 * Has a segment's records read, in steps that yield how many bytes each has read.
 *
 * @param read reads at least one of those that are left, and returns how many
 * @throws {MalformedBytes}
 */
export function* readRecords(
  { count, records }: Segment,
  read: (decoder: RecordDecoder, left: number) => number,
): Generator<number, void> {
  const reader = new ByteReader(records)
  const decoder = new RecordDecoder(reader)
  for (let left = count; left > 0; ) {
    const { at } = reader
    left -= read(decoder, left)
    yield reader.at - at
  }
  if (!decoder.atEnd) throw new MalformedBytes("it has more bytes than records")
}

/** What errors call a segment. */
export function segmentRow(sequence: number): string {
  return `segment ${sequence}`
}
