import { AheadGrants, type IdleKey } from "./ahead-grants.js"
import { MAX_TOLD } from "./charge-gaps.js"
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
  /**
   * `ahead`: the units of a grant of a key that is asked again and again; without it a grant grows with its key's use,
   * up to a tenth of the capacity.
   */
  readonly aheadUnits?: number
}

interface DurabilityInput {
  readonly port: LedgerPort
  readonly writer: LogWriter
  readonly options: DurabilityOptions
  /** Begins to write what was appended. */
  readonly commit: () => Promise<void>
  /**
   * Appends records of grants that are taken back.
   *
   * @param areLast whether no key has one then
   * @returns whether it appended any
   */
  readonly takeBack: (idle: readonly IdleKey[], areLast: boolean) => boolean
}

export const DEFAULT_FLUSH_MS = 100
export const DEFAULT_FLUSH_RECORDS = 10_000
/**
 * `ahead`: the grant of a key of which nothing was admitted for so long, ms, or for up to twice as long, is taken back.
 */
const IDLE_MS = 2_500
/** So many keys are looked at in one turn of the event loop. */
const MAX_LOOKED_AT = 2_048

/** Decides which answers wait for a commit, and sees to it that what does not wait is committed soon. */
export class Durability {
  readonly sync: SyncMode
  readonly #writer: LogWriter
  readonly #port: LedgerPort
  readonly #commit: () => Promise<void>
  readonly #takeBack: DurabilityInput["takeBack"]
  readonly #flushEveryMs: number
  readonly #flushEveryRecords: number
  readonly #grants: AheadGrants
  /** When what was told without a commit is to be committed at the latest; infinite where nothing was. */
  #dueAtMs = Number.POSITIVE_INFINITY
  #hasTimer = false
  #hasIdleTimer = false

  constructor({ port, writer, options, commit, takeBack }: DurabilityInput) {
    const {
      sync = "always",
      flushEveryMs = DEFAULT_FLUSH_MS,
      flushEveryRecords = DEFAULT_FLUSH_RECORDS,
      aheadUnits,
    } = options
    this.sync = sync
    this.#port = port
    this.#writer = writer
    this.#commit = commit
    this.#takeBack = takeBack
    this.#flushEveryMs = flushEveryMs
    this.#flushEveryRecords = flushEveryRecords
    this.#grants = new AheadGrants(writer, aheadUnits ?? null)
  }

  /**
   * Whether the answer to an admission, whose record was just appended, waits for a commit.
   *
   * @param appendGrant appends a record of a grant, of so many units
   */
  admissionWaits(
    limit: LedgerLimit,
    key: string,
    cost: number,
    nowMs: number,
    appendGrant: (units: number) => void,
  ): boolean {
    if (this.sync !== "ahead") return this.changeWaits(nowMs)
    const draw = this.#grants.draw(limit, key, cost, appendGrant)
    this.#lookForIdle()
    if (draw === "uncovered" || this.#writer.unwritten > MAX_TOLD) return true
    if (draw === "low") void this.#commit()
    else this.#flushSoon(nowMs)
    return false
  }

  /**
   * Makes the grants of a limit that got another policy no larger than that one has them.
   *
   * @param appendGrant appends a record of a smaller grant
   */
  shrinkGrants(limit: LedgerLimit, appendGrant: (key: string, units: number) => void): void {
    this.#grants.shrink(limit, appendGrant)
  }

  /** Whether the answer to any other change, whose record was just appended, waits for a commit. */
  changeWaits(nowMs: number): boolean {
    if (this.sync !== "batch" || this.#writer.unwritten > this.#flushEveryRecords) return true
    this.#writer.noteTold()
    this.#flushSoon(nowMs)
    return false
  }

  /** Commits what was told, where that is due: timers may wait while calls come without a pause. */
  flushIfDue(nowMs: number): void {
    if (nowMs >= this.#dueAtMs) this.#flush()
  }

  /** All grants of units were taken back. */
  restart(): void {
    this.#grants.restart()
  }

  #lookForIdle(): void {
    if (this.#hasIdleTimer) return
    this.#hasIdleTimer = true
    this.#port.after(
      IDLE_MS,
      () => {
        this.#hasIdleTimer = false
        this.#takeIdleBack()
      },
      { unref: true },
    )
  }

  #takeIdleBack(): void {
    const { idle, hasMore } = this.#grants.forgetIdle(MAX_LOOKED_AT)
    const areLast = !this.#grants.hasGranted
    // Also where a compaction took the last ones back. What was told is written along.
    if ((idle.length > 0 || areLast) && this.#takeBack(idle, areLast)) this.#flush()
    if (hasMore) this.#port.defer(() => this.#takeIdleBack())
    else if (!this.#grants.isEmpty) this.#lookForIdle()
  }

  #flushSoon(nowMs: number): void {
    if (this.#dueAtMs !== Number.POSITIVE_INFINITY) {
      this.flushIfDue(nowMs)
      return
    }
    this.#dueAtMs = nowMs + this.#flushEveryMs
    if (this.#hasTimer) return
    this.#hasTimer = true
    this.#port.after(this.#flushEveryMs, () => {
      this.#hasTimer = false
      this.#flush()
    })
  }

  #flush(): void {
    this.#dueAtMs = Number.POSITIVE_INFINITY
    // A ledger that was closed meanwhile has committed already, or was abandoned on purpose.
    void this.#commit()
  }
}
