import type { LogEnd } from "./log-end.js"
import type { LogTable } from "./log-table.js"
import type { DenyRecord, LogRecord } from "./record.js"
import type { Recovered } from "./recovery.js"
import { SegmentWriter } from "./segment.js"
import type { LedgerPort, WriteOptions } from "./sql-port.js"

/** A segment that grew over several commits is full when one more page of the file would be touched. */
const PAGE_BYTES = 3_500
/** A segment that one commit fills may be larger, still far below the 2 MB of a row. */
const COMMIT_BYTES = 500_000

/** Where a log stands that is opened. */
export type LogPosition = Pick<Recovered, "metaHash" | "logBytes" | "snapshotBytes" | "uncoveredRecords">

interface SealedSegment {
  readonly sequence: number
  readonly body: Uint8Array
  readonly hash: Uint8Array
}

/** What a write brought to the file. */
interface WriteResult {
  /** Counts the writes. */
  readonly number: number
  /** Records that were appended by then. */
  readonly appended: number
  readonly end: LogEnd
}

/** What most commits close, and seal. */
const NONE_CLOSED: readonly SegmentWriter[] = []
const NONE_SEALED: readonly SealedSegment[] = []

/** Appends records, and writes the segments that hold them. */
export class LogWriter {
  readonly #port: LedgerPort
  readonly #table: LogTable
  readonly #onWritten: (end: LogEnd) => void
  readonly #metaHash: Uint8Array
  /** Segments with records that are not in the file yet, in order; the last one is open. */
  readonly #writers: SegmentWriter[]
  /** Those before them, which a compaction ended: the next write takes them along. */
  #ended: readonly SegmentWriter[] = NONE_CLOSED
  /** The first segment that the compaction under way does not cover, and the bytes of those sealed since. */
  #laterSequence = Number.POSITIVE_INFINITY
  #laterBytes = 0
  /** The snapshot that the next write puts into force. */
  #toForce: { readonly sequence: number; readonly bytes: number } | null = null
  /** How far the file reaches. */
  #end: LogEnd
  #heldDenial: DenyRecord | null = null
  /**
   * Records that were appended since the ledger was opened, those up to the last that was told, and up to the last that
   * defines a limit, and those that are durable.
   */
  #appended = 0
  #told = 0
  #defined = 0
  #durable = 0
  /** Writes that were begun, and those that are durable. */
  #begun = 0
  #made = 0
  #commits = 0
  /** Those of them that began a compaction, or ended one. */
  #ofCompactions = 0
  #logBytes: number
  #snapshotBytes: number
  /** Records after the last compaction's begin, and those before it that it did not cover. */
  #uncoveredRecords: number

  /**
   * @param onWritten called with how far the log reaches after each write that is durable; what it throws is ignored
   */
  constructor(
    port: LedgerPort,
    table: LogTable,
    open: SegmentWriter,
    log: LogPosition,
    onWritten: (end: LogEnd) => void,
  ) {
    this.#onWritten = onWritten
    this.#port = port
    this.#table = table
    this.#writers = [open]
    this.#metaHash = log.metaHash
    this.#end = { sequence: open.sequence, count: open.count, metaHash: log.metaHash }
    this.#logBytes = log.logBytes
    this.#snapshotBytes = log.snapshotBytes
    this.#uncoveredRecords = log.uncoveredRecords
  }

  /** Bytes of sealed segments that no snapshot covers. */
  get logBytes(): number {
    return this.#logBytes
  }

  /** Those of them that the compaction under way covers. */
  get coveredBytes(): number {
    return this.#logBytes - this.#laterBytes
  }

  get snapshotBytes(): number {
    return this.#snapshotBytes
  }

  /** Commits of what was appended; compactions do not count. */
  get commits(): number {
    return this.#commits - this.#ofCompactions
  }

  /** Writes that are durable. */
  get made(): number {
    return this.#made
  }

  /** What is appended now is durable when this many writes are. */
  get writeOfNext(): number {
    return this.#begun + 1
  }

  /** Records that are not durable. */
  get unwritten(): number {
    return this.#appended - this.#durable
  }

  /** How many of them may have been told: none came after the last that was. */
  get toldUnwritten(): number {
    return Math.max(0, this.#told - this.#durable)
  }

  /** Notes that what was appended last is answered before it is durable. */
  noteTold(): void {
    this.#told = this.#appended
  }

  /** Notes that what was appended last defines a limit. */
  noteDefinition(): void {
    this.#defined = this.#appended
  }

  /** Whether a limit was defined, or got another policy, and that is not durable. */
  get lacksDefinition(): boolean {
    return this.#defined > this.#durable
  }

  /** Whether a segment is to be written: for what was appended since the last write, or to tell of a snapshot. */
  get hasNews(): boolean {
    if (this.#toForce !== null || this.#ended.length > 0 || this.#heldDenial !== null) return true
    return this.#writers.length > 1 || this.#writers[0]!.count > this.#end.count
  }

  /** Whether so many records wait that they should be written: what nobody waits for must not fill the memory. */
  get isLong(): boolean {
    return this.#writers.length > 1
  }

  append(record: LogRecord): void {
    this.#tellDenial()
    this.#roll()
    this.#appendTo(record)
  }

  /** Appends records to one segment, so that all or none of them are in the file. */
  appendTogether(records: readonly LogRecord[]): void {
    this.#tellDenial()
    this.#roll()
    for (const record of records) this.#appendTo(record)
  }

  /**
   * Holds a denial back while more of the same kind come, so that a flood is one record.
   *
   * @param merge whether it may be told with others
   */
  appendDenial(record: DenyRecord, { merge }: { readonly merge: boolean }): void {
    const held = this.#heldDenial
    const same = held !== null && held.limit === record.limit && held.key === record.key && held.cost === record.cost
    // Only in the order of time, so that repeating the first of them leaves the state as all of them did.
    if (same && merge && record.timeMs >= held.lastMs) {
      this.#heldDenial = { ...held, count: held.count + 1, lastMs: record.timeMs }
      return
    }
    this.#tellDenial()
    this.#heldDenial = record
  }

  #tellDenial(): void {
    const held = this.#heldDenial
    if (held === null) return
    this.#heldDenial = null
    this.#roll()
    this.#appendTo(held)
  }

  #appendTo(record: LogRecord): void {
    this.#writers.at(-1)!.append(record)
    this.#appended += 1
    this.#uncoveredRecords += 1
  }

  /** Opens another segment where the last one is full. */
  #roll(): void {
    const open = this.#writers.at(-1)!
    if (open.length >= COMMIT_BYTES) this.#writers.push(new SegmentWriter(open.sequence + 1))
  }

  /** How far the file reaches, durable or not. */
  get end(): LogEnd {
    return this.#end
  }

  /** The sequence of the first segment that is not closed. */
  get openSequence(): number {
    return this.#writers[0]!.sequence
  }

  /**
   * Closes the segments that are `full`, or all that are `used`, or `all`, and opens the next. What is appended from
   * here on goes there; what was closed must be written before that.
   */
  close(which: "full" | "used" | "all"): readonly SegmentWriter[] {
    this.#tellDenial()
    const open = this.#writers.at(-1)!
    const isClosed = which === "all" || (which === "used" ? open.count > 0 : open.length >= PAGE_BYTES)
    if (isClosed) this.#writers.push(new SegmentWriter(open.sequence + 1))
    if (this.#writers.length === 1 && this.#ended.length === 0) return NONE_CLOSED
    const closed = this.#writers.splice(0, this.#writers.length - 1)
    const ended = this.#ended
    if (ended.length === 0) return closed
    this.#ended = NONE_CLOSED
    return [...ended, ...closed]
  }

  /**
   * Begins what a compaction covers: all that was appended until now. The next write takes it along.
   *
   * @returns the segment that follows, which has the hash of the one before it when that is written; and how many
   *   records before it no snapshot covers yet
   */
  endSegment(): { readonly next: SegmentWriter; readonly records: number } {
    this.#ended = this.close("all")
    const next = this.#writers[0]!
    this.#laterSequence = next.sequence
    this.#laterBytes = 0
    const records = this.#uncoveredRecords
    this.#uncoveredRecords = 0
    return { next, records }
  }

  /** Notes that the compaction under way is given up: it covers none of so many records. */
  giveUpCompaction(records: number): void {
    this.#uncoveredRecords += records
  }

  /**
   * Has the next write put into force the snapshot of all that the last `endSegment` ended.
   *
   * @param sequence the last segment that it covers
   * @param bytes of its state
   */
  putInForce(snapshot: { readonly sequence: number; readonly bytes: number }): void {
    this.#toForce = snapshot
  }

  /** Writes closed segments and the open one in one transaction, with `also` in it. */
  write(closed: readonly SegmentWriter[], also?: () => void): void {
    this.#noteDurable(this.#put(closed, also))
  }

  /**
   * `write`, or the promise of it where the platform makes it durable beside this thread.
   */
  writeBeside(closed: readonly SegmentWriter[], options: WriteOptions, also?: () => void): Promise<void> | undefined {
    const port = this.#port
    if (port.durably === undefined) {
      this.write(closed, also)
      return undefined
    }
    let written: WriteResult | null = null
    const syncing = port.durably(() => {
      written = this.#put(closed, also)
    }, options)
    if (syncing !== undefined) return syncing.then(() => this.#noteDurable(written!))
    this.#noteDurable(written!)
    return undefined
  }

  #put(closed: readonly SegmentWriter[], also?: () => void): WriteResult {
    const sealed = closed.length === 0 ? NONE_SEALED : this.#seal(closed)
    const open = this.#writers[0]!
    if (this.#toForce !== null) open.coveredSequence = this.#toForce.sequence
    const { body } = open.seal(this.#port, { isSealed: false })
    if (sealed.length === 0 && also === undefined) {
      this.#table.writeRow(open.sequence, body)
    } else {
      this.#table.transaction(() => {
        for (const segment of sealed) this.#table.writeRow(segment.sequence, segment.body)
        this.#table.writeRow(open.sequence, body)
        also?.()
      })
    }
    this.#begun += 1
    this.#commits += 1
    this.#noteBytes(sealed)
    this.#end = { sequence: open.sequence, count: open.count, metaHash: this.#metaHash }
    return { number: this.#begun, appended: this.#appended, end: this.#end }
  }

  #noteBytes(sealed: readonly SealedSegment[]): void {
    for (const { sequence, body } of sealed) {
      this.#logBytes += body.length
      if (sequence >= this.#laterSequence) this.#laterBytes += body.length
      // The last one that a compaction covers: with it, the compaction has begun.
      if (sequence === this.#laterSequence - 1) this.#ofCompactions += 1
    }
    if (this.#toForce === null) return
    this.#logBytes = this.#laterBytes
    this.#snapshotBytes = this.#toForce.bytes
    this.#toForce = null
    this.#ofCompactions += 1
  }

  #noteDurable({ number, appended, end }: WriteResult): void {
    // With a later write, those before it are durable.
    if (number <= this.#made) return
    this.#made = number
    this.#durable = appended
    try {
      this.#onWritten(end)
    } catch {
      // The records are in the file, and whoever waits for them must hear so.
    }
  }

  /** Seals closed segments in order, each with the hash of the one before, and gives the open one its own. */
  #seal(closed: readonly SegmentWriter[]): SealedSegment[] {
    const sealed: SealedSegment[] = []
    for (const [index, writer] of closed.entries()) {
      const { body, hash } = writer.seal(this.#port, { isSealed: true })
      sealed.push({ sequence: writer.sequence, body, hash })
      const next = closed[index + 1] ?? this.#writers[0]!
      next.previousHash = hash
    }
    return sealed
  }
}
