import type { LogEnd } from "./log-end.js"
import type { LogTable } from "./log-table.js"
import type { DenyRecord, LogRecord } from "./record.js"
import type { Recovered } from "./recovery.js"
import { SegmentWriter } from "./segment.js"
import type { LedgerPort } from "./sql-port.js"

/** A segment that grew over several commits is full when one more page of the file would be touched. */
const PAGE_BYTES = 3_500
/** A segment that one commit fills may be larger, still far below the 2 MB of a row. */
const COMMIT_BYTES = 500_000

/** Where a log stands that is opened. */
export type LogPosition = Pick<Recovered, "metaHash" | "logBytes" | "snapshotBytes">

interface SealedSegment {
  readonly sequence: number
  readonly body: Uint8Array
  readonly hash: Uint8Array
}

/** What a write brought to the file. */
interface Written {
  /** Counts the writes. */
  readonly number: number
  /** Records that were appended by then. */
  readonly appended: number
  readonly end: LogEnd
}

/** What most commits close. */
const NONE_SEALED: readonly SealedSegment[] = []

/** Appends records, and writes the segments that hold them. */
export class LogWriter {
  readonly #port: LedgerPort
  readonly #table: LogTable
  readonly #onWritten: (end: LogEnd) => void
  readonly #metaHash: Uint8Array
  /** Segments with records that are not in the file yet, in order; the last one is open. */
  readonly #writers: SegmentWriter[]
  /** Records of the open segment that are in the file. */
  #committed: number
  #heldDenial: DenyRecord | null = null
  /** Records that were appended since the ledger was opened, and those of them that are durable. */
  #appended = 0
  #durable = 0
  /** Writes that were begun, and those that are durable. */
  #begun = 0
  #made = 0
  #commits = 0
  /** Those of them that began a compaction, or ended one. */
  #ofCompactions = 0
  #logBytes: number
  #snapshotBytes: number

  /**
   * @param onWritten hears how far the log reaches after each write that is durable; what it throws is dropped
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
    this.#committed = open.count
    this.#metaHash = log.metaHash
    this.#logBytes = log.logBytes
    this.#snapshotBytes = log.snapshotBytes
  }

  /** Bytes of sealed segments that no snapshot covers. */
  get logBytes(): number {
    return this.#logBytes
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

  /** Whether anything was appended that was not written. */
  get hasNews(): boolean {
    return this.#heldDenial !== null || this.#writers.length > 1 || this.#writers[0]!.count > this.#committed
  }

  /** Appends a record. Whether so many wait that somebody should write them. */
  append(record: LogRecord): boolean {
    if (this.#heldDenial !== null) this.#tellDenial()
    const isLong = this.#roll()
    this.#appendTo(record)
    return isLong
  }

  /** Appends records to one segment, so that all or none of them are in the file. */
  appendTogether(records: readonly LogRecord[]): boolean {
    this.#tellDenial()
    const isLong = this.#roll()
    for (const record of records) this.#appendTo(record)
    return isLong
  }

  /**
   * Holds a denial back while more of the same kind come, so that a flood is one record.
   *
   * @param merge whether it may be told with others
   */
  appendDenial(record: DenyRecord, { merge }: { readonly merge: boolean }): boolean {
    const held = this.#heldDenial
    const same = held !== null && held.limit === record.limit && held.key === record.key && held.cost === record.cost
    // Only in the order of time, so that repeating the first of them leaves the state as all of them did.
    if (same && merge && record.timeMs >= held.lastMs) {
      this.#heldDenial = { ...held, count: held.count + 1, lastMs: record.timeMs }
      return false
    }
    const isLong = this.#tellDenial()
    this.#heldDenial = record
    return isLong
  }

  #tellDenial(): boolean {
    const held = this.#heldDenial
    if (held === null) return false
    this.#heldDenial = null
    const isLong = this.#roll()
    this.#appendTo(held)
    return isLong
  }

  #appendTo(record: LogRecord): void {
    this.#writers.at(-1)!.append(record)
    this.#appended += 1
  }

  /** Opens another segment where the last one is full. */
  #roll(): boolean {
    const open = this.#writers.at(-1)!
    if (open.length < COMMIT_BYTES) return false
    this.#writers.push(new SegmentWriter(open.sequence + 1))
    return true
  }

  /** The sequence of the first segment that is not closed. */
  get openSequence(): number {
    return this.#writers[0]!.sequence
  }

  /**
   * Closes the segments that are `full`, or all that are `used`, or `all`, and opens the next. What comes from here on
   * goes there, and what is closed has to be written before anything comes.
   */
  close(which: "full" | "used" | "all"): SegmentWriter[] {
    this.#tellDenial()
    const open = this.#writers.at(-1)!
    const isClosed = which === "all" || (which === "used" ? open.count > 0 : open.length >= PAGE_BYTES)
    if (isClosed) this.#writers.push(new SegmentWriter(open.sequence + 1))
    return this.#writers.splice(0, this.#writers.length - 1)
  }

  /** Writes closed segments and the open one in one transaction, with `also` in it. */
  write(closed: readonly SegmentWriter[], also?: () => void): void {
    this.#noteDurable(this.#put(closed, also))
  }

  /**
   * `write`, or the promise of it where the platform makes it durable beside this thread.
   *
   * @param isAwaited whether answers wait for it
   */
  writeBeside(closed: readonly SegmentWriter[], isAwaited: boolean, also?: () => void): Promise<void> | undefined {
    const { durably } = this.#port
    if (durably === undefined) {
      this.write(closed, also)
      return undefined
    }
    let written: Written | null = null
    const syncing = durably(() => {
      written = this.#put(closed, also)
    }, isAwaited)
    if (syncing !== undefined) return syncing.then(() => this.#noteDurable(written!))
    this.#noteDurable(written!)
    return undefined
  }

  #put(closed: readonly SegmentWriter[], also?: () => void): Written {
    const sealed = closed.length === 0 ? NONE_SEALED : this.#seal(closed)
    const open = this.#writers[0]!
    const { body } = open.seal(this.#port, { isSealed: false })
    if (sealed.length === 0 && also === undefined) {
      this.#table.writeSegment(open.sequence, body)
    } else {
      this.#table.transaction(() => {
        for (const segment of sealed) this.#table.writeSegment(segment.sequence, segment.body)
        this.#table.writeSegment(open.sequence, body)
        also?.()
      })
    }
    this.#committed = open.count
    this.#begun += 1
    this.#commits += 1
    for (const segment of sealed) this.#logBytes += segment.body.length
    const end = { sequence: open.sequence, count: open.count, metaHash: this.#metaHash }
    return { number: this.#begun, appended: this.#appended, end }
  }

  /** Writes what a compaction begins with: closed segments and the open one. The hash of the last one that is closed. */
  begin(closed: readonly SegmentWriter[]): Uint8Array {
    this.write(closed)
    this.#ofCompactions += 1
    return this.#writers[0]!.previousHash
  }

  /**
   * Writes everything, and with it, in one transaction, what puts a snapshot into force.
   *
   * @param sequence the last segment that it covers
   * @param bytes of its state
   * @param coveredBytes of the sealed segments that it covers, as `logBytes` told them
   */
  putInForce(
    {
      sequence,
      bytes,
      coveredBytes,
    }: { readonly sequence: number; readonly bytes: number; readonly coveredBytes: number },
    write: () => void,
  ): void {
    const closed = this.close("full")
    this.#writers[0]!.coveredSequence = sequence
    this.write(closed, write)
    this.#ofCompactions += 1
    this.#snapshotBytes = bytes
    this.#logBytes -= coveredBytes
  }

  #noteDurable({ number, appended, end }: Written): void {
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
