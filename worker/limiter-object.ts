import { DurableObject } from "cloudflare:workers"
import { Core } from "../src/engine/core.js"
import { LATEST_MS } from "../src/engine/core-exports.js"
import { Ledger, type Verification } from "../src/ledger/ledger.js"
import type { LedgerLimit } from "../src/ledger/ledger-state.js"
import { parsePolicy } from "../src/policy/parse-policy.js"
import type { Decision } from "../src/types/decision.js"
import type { KeyStats, KeyStatus } from "../src/types/limiter.js"
import type { Receipt } from "../src/types/receipt.js"
import { type ObjectLedgerPort, objectLedgerPort } from "./object-port.js"

/** Whose quota a call is about: the key, and the policy by its canonical form. */
export interface Subject {
  readonly key: string
  readonly policy: string
}

/** What an object did since it was loaded. */
export interface ObjectReport {
  readonly admitted: number
  readonly denied: number
  /** Storage rows billed as written. */
  readonly rowsWritten: number
  readonly commits: number
}

/** The one limit of an object's ledger. */
const LIMIT_NAME = "limit"

/** How long an object stays after its key is full again and nobody asks. */
const LINGER_MS = 60_000

/** The objects of an isolate share one core: its memory is theirs together. */
let sharedCore: Core | null = null

interface Open {
  readonly ledger: Ledger
  readonly port: ObjectLedgerPort
}

/**
 * The Durable Object that keeps one key of one limit: a ledger with one key, and the only writer of it.
 *
 * An admission is answered when its charge is durable. Checks that arrive together share one row. A denial writes
 * nothing. When the key has been full again for a minute and nobody asked, an alarm wipes the storage, and nothing is
 * left to pay for; the next check starts anew.
 */
export class LimiterObject extends DurableObject {
  #open: Promise<Open> | null = null
  #wiping: Promise<void> | null = null
  #hasAlarm = false
  #lastAskedMs = 0
  #admitted = 0
  #denied = 0
  #rowsOfAlarms = 0
  #rowsOfClosed = 0
  #commitsOfClosed = 0

  /** The object's time; whole ms. */
  protected now(): number {
    return Date.now()
  }

  /**
   * Asks and charges.
   *
   * @throws {CostError} {KeyError} {PolicyError} {RangeError} {StoreCorrupt} {StoreVersion} {StoreUnavailable}
   */
  async check(subject: Subject, cost: number): Promise<Decision> {
    const { ledger, limit } = await this.#limit(subject)
    const { decision, needsCommit } = ledger.check(limit, subject.key, cost, this.#ask())
    if (decision.allowed) this.#admitted += 1
    else this.#denied += 1
    if (needsCommit) await this.#commit(ledger)
    return decision.toJSON()
  }

  /** Asks and charges nothing. */
  async peek(subject: Subject, cost: number): Promise<Decision> {
    const { limit } = await this.#limit(subject)
    return limit.keys.peek(subject.key, cost, this.#ask()).toJSON()
  }

  /** Takes units whatever is left, into debt if need be. */
  async charge(subject: Subject, units: number): Promise<void> {
    const { ledger, limit } = await this.#limit(subject)
    ledger.charge(limit, subject.key, units, this.#ask())
    await this.#commit(ledger)
  }

  /** Settles a receipt once: gives `units` back or, where they are negative, charges as many more. */
  async settle(subject: Subject, receipt: Receipt, units: number): Promise<boolean> {
    const { ledger, limit } = await this.#limit(subject)
    const isSettled = ledger.settle(limit, receipt, units, this.#ask())
    if (isSettled) await this.#commit(ledger)
    return isSettled
  }

  /** Denies the key for a time from now, in place of an earlier block. */
  async block(subject: Subject, durationMs: number): Promise<void> {
    const { ledger, limit } = await this.#limit(subject)
    const nowMs = this.#ask()
    ledger.block(limit, subject.key, Math.min(nowMs + durationMs, LATEST_MS), nowMs)
    await this.#commit(ledger)
  }

  /** Ends a block. Whether there was one. */
  async unblock(subject: Subject): Promise<boolean> {
    const { ledger, limit } = await this.#limit(subject)
    const had = ledger.unblock(limit, subject.key, this.#ask())
    if (had) await this.#commit(ledger)
    return had
  }

  /** Makes the key's quota full and ends its block. Whether there was anything to forget. */
  async reset(subject: Subject): Promise<boolean> {
    const { ledger, limit } = await this.#limit(subject)
    const had = ledger.reset(limit, subject.key, this.#ask())
    await this.#commit(ledger)
    return had
  }

  async status(subject: Subject): Promise<KeyStatus> {
    const { limit } = await this.#limit(subject)
    return limit.keys.status(subject.key, this.#ask())
  }

  async stats(subject: Subject): Promise<KeyStats> {
    const { limit } = await this.#limit(subject)
    return limit.keys.stats(subject.key)
  }

  /** Reads the whole log anew and compares it with the live state. @throws {StoreCorrupt} {StoreVersion} */
  async verify(): Promise<Verification> {
    const { ledger } = await this.#opened()
    return ledger.verify()
  }

  async report(): Promise<ObjectReport> {
    const { ledger, port } = await this.#opened()
    return {
      admitted: this.#admitted,
      denied: this.#denied,
      rowsWritten: this.#rowsOfClosed + this.#rowsOfAlarms + port.sql.rowsWritten,
      commits: this.#commitsOfClosed + ledger.commits,
    }
  }

  /** Wipes the object when its key is full and nobody asks any more; else comes again later. */
  override async alarm(): Promise<void> {
    this.#hasAlarm = false
    const open = await this.#opened()
    const nowMs = this.now()
    const fullInMs = fullAfterMs(open.ledger, nowMs)
    const askedAgoMs = nowMs - this.#lastAskedMs
    if (fullInMs > 0 || (askedAgoMs >= 0 && askedAgoMs < LINGER_MS)) return this.#setAlarm(nowMs + fullInMs)
    this.#forget(open)
    // A check that arrives meanwhile opens a new ledger, but not before the old one is gone.
    this.#wiping = this.ctx.storage.deleteAll()
    await this.#wiping
  }

  /** Notes that somebody asked, and tells the time. */
  #ask(): number {
    this.#lastAskedMs = this.now()
    return this.#lastAskedMs
  }

  /** The ledger and its limit, under the policy that the caller sent. */
  async #limit({ policy }: Subject): Promise<{ ledger: Ledger; limit: LedgerLimit }> {
    const { ledger } = await this.#opened()
    const known = ledger.limit(LIMIT_NAME)
    if (known !== undefined && known.keys.policy.canonical === policy) return { ledger, limit: known }
    return { ledger, limit: ledger.define(LIMIT_NAME, parsePolicy(policy), this.now()) }
  }

  /** The open ledger: one that failed or was wiped meanwhile is replaced by what is durable. */
  async #opened(): Promise<Open> {
    for (;;) {
      this.#open ??= this.#openLedger()
      const opening = this.#open
      try {
        const open = await opening
        if (this.#open === opening && open.ledger.isOpen) return open
        if (this.#open === opening) this.#forget(open)
      } catch (error) {
        // A store that cannot be read is tried anew by the next call; nothing was written.
        if (this.#open === opening) this.#open = null
        throw error
      }
    }
  }

  #forget({ ledger, port }: Open): void {
    this.#rowsOfClosed += port.sql.rowsWritten
    this.#commitsOfClosed += ledger.commits
    this.#open = null
    ledger.abandon()
  }

  async #openLedger(): Promise<Open> {
    await this.#wiping
    sharedCore ??= new Core()
    const port = objectLedgerPort(this.ctx.storage)
    const ledger = await Ledger.open(port, { core: sharedCore })
    this.#hasAlarm = (await this.ctx.storage.getAlarm()) !== null
    return { ledger, port }
  }

  async #commit(ledger: Ledger): Promise<void> {
    if (!this.#hasAlarm) {
      const nowMs = this.now()
      this.#setAlarm(nowMs + fullAfterMs(ledger, nowMs))
    }
    await ledger.commit()
  }

  /** One alarm at a time: it looks again when it comes, so a check need not move it. */
  #setAlarm(fullAtMs: number): void {
    this.#hasAlarm = true
    this.#rowsOfAlarms += 1
    // The promise settles with the commit, which the output gate waits for.
    void this.ctx.storage.setAlarm(fullAtMs + LINGER_MS)
  }
}

/** Time until nothing is used of any key and no block lasts. */
function fullAfterMs(ledger: Ledger, nowMs: number): number {
  return Math.max(0, ...ledger.limits.map((limit) => limit.keys.fullAfterMs(nowMs)))
}
