import { AheadBlocks } from "./ahead-blocks.js"
import { TOLD_MAX } from "./charge-gaps.js"
import type { LogWriter } from "./log-writer.js"
import type { LedgerLimit } from "./own-limit.js"
import type { LedgerPort } from "./sql-port.js"
import type { SyncMode } from "./sync-mode.js"

/** When what was decided gets to the file. */
export interface DurabilityOptions {
  /** Default `"always"`. */
  readonly sync?: SyncMode
  /** `ahead` and `batch`: a record waits at most this long for a commit to start, ms; default 100. */
  readonly flushEveryMs?: number
  /** `batch`: at most this many records were told and are not in the file; default 10,000. */
  readonly flushEveryRecords?: number
  /** `ahead`: the units of a block; without it a block grows with its key's use, up to a tenth of the capacity. */
  readonly block?: number
}

const DEFAULT_FLUSH_MS = 100
const DEFAULT_FLUSH_RECORDS = 10_000

/** Decides which answers wait for a commit, and sees to it that what does not wait is committed soon. */
export class Durability {
  readonly sync: SyncMode
  readonly #writer: LogWriter
  readonly #port: LedgerPort
  readonly #commit: () => Promise<void>
  readonly #flushEveryMs: number
  readonly #flushEveryRecords: number
  readonly #blocks: AheadBlocks
  #isFlushDue = false

  constructor(
    port: LedgerPort,
    writer: LogWriter,
    commit: () => Promise<void>,
    {
      sync = "always",
      flushEveryMs = DEFAULT_FLUSH_MS,
      flushEveryRecords = DEFAULT_FLUSH_RECORDS,
      block,
    }: DurabilityOptions,
  ) {
    this.sync = sync
    this.#port = port
    this.#writer = writer
    this.#commit = commit
    this.#flushEveryMs = flushEveryMs
    this.#flushEveryRecords = flushEveryRecords
    this.#blocks = new AheadBlocks(writer, block ?? null)
  }

  /**
   * Whether the answer to an admission, whose record was just appended, waits for a commit.
   *
   * @param grant appends a record that grants a block of units
   */
  admissionWaits(limit: LedgerLimit, key: string, cost: number, grant: (units: number) => void): boolean {
    if (this.sync !== "ahead") return this.changeWaits()
    const draw = this.#blocks.draw(limit, key, cost, grant)
    if (draw === "uncovered" || this.#writer.unwritten > TOLD_MAX) return true
    if (draw === "low") void this.#commit()
    else this.#flushSoon()
    return false
  }

  /**
   * Makes the blocks of a limit that got another policy no larger than that one has them.
   *
   * @param grant appends a record that grants a smaller block of units
   */
  shrinkBlocks(limit: LedgerLimit, grant: (key: string, units: number) => void): void {
    this.#blocks.shrink(limit, grant)
  }

  /** Whether the answer to any other change, whose record was just appended, waits for a commit. */
  changeWaits(): boolean {
    if (this.sync !== "batch" || this.#writer.unwritten > this.#flushEveryRecords) return true
    this.#writer.noteTold()
    this.#flushSoon()
    return false
  }

  /** All blocks of units were taken back. */
  restart(): void {
    this.#blocks.restart()
  }

  #flushSoon(): void {
    if (this.#isFlushDue) return
    this.#isFlushDue = true
    this.#port.after(this.#flushEveryMs, () => {
      this.#isFlushDue = false
      // A ledger that was closed meanwhile has committed already, or was abandoned on purpose.
      void this.#commit()
    })
  }
}
