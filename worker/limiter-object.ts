import { DurableObject } from "cloudflare:workers"
import { Core } from "../src/engine/core.js"
import { LATEST_MS } from "../src/engine/core-exports.js"
import { Ledger, type Verification } from "../src/ledger/ledger.js"
import type { LedgerLimit } from "../src/ledger/own-limit.js"
import { parsePolicy } from "../src/policy/parse-policy.js"
import type { Policy } from "../src/policy/policy.js"
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

/**
 * How long an object stays after its key is full again and nobody asks. Receipts can be settled that long; and a client
 * that comes back meanwhile finds its object, which costs fewer rows than a new one.
 */
const LINGER_MS = 3_600_000

/** The objects of an isolate share one core: its memory is theirs together. */
let sharedCore: Core | null = null

interface Open {
  readonly ledger: Ledger
  readonly port: ObjectLedgerPort
}

/** What a verb works with. */
interface Asked {
  readonly ledger: Ledger
  readonly limit: LedgerLimit
  readonly nowMs: number
}

/**
 * The Durable Object that keeps one key of one limit: a ledger with one key, and the only writer of it.
 *
 * An admission is answered when its charge is durable. Checks that arrive together share one row. A denial writes
 * nothing. When the key has been full again for an hour and nobody asked, an alarm wipes the storage, and nothing is
 * left to pay for; the next check starts anew.
 */
export class LimiterObject extends DurableObject {
  #open: Open | null = null
  #opening: Promise<void> | null = null
  #wiping: Promise<void> | null = null
  #policy: Policy | null = null
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
    return this.#ask(subject, async ({ ledger, limit, nowMs }) => {
      const { decision, needsCommit } = ledger.check(limit, subject.key, cost, nowMs)
      if (decision.allowed) this.#admitted += 1
      else this.#denied += 1
      if (needsCommit) await ledger.commit()
      return decision.toJSON()
    })
  }

  /** Asks and charges nothing. */
  async peek(subject: Subject, cost: number): Promise<Decision> {
    return this.#ask(subject, ({ limit, nowMs }) => limit.keys.peek(subject.key, cost, nowMs).toJSON())
  }

  /** Takes units whatever is left, into debt if need be. */
  async charge(subject: Subject, units: number): Promise<void> {
    await this.#ask(subject, ({ ledger, limit, nowMs }) => {
      ledger.charge(limit, subject.key, units, nowMs)
      return ledger.commit()
    })
  }

  /**
   * Settles a receipt once: gives `units` back or, where they are negative, charges as many more.
   *
   * @throws {RangeError} where the receipt is not of this object, or of before it was wiped
   */
  async settle(subject: Subject, receipt: Receipt, units: number): Promise<boolean> {
    return this.#ask(subject, async ({ ledger, limit, nowMs }) => {
      const isSettled = ledger.settle(limit, receipt, units, nowMs)
      if (isSettled) await ledger.commit()
      return isSettled
    })
  }

  /** Denies the key for a time from now, in place of an earlier block. */
  async block(subject: Subject, durationMs: number): Promise<void> {
    await this.#ask(subject, ({ ledger, limit, nowMs }) => {
      ledger.block(limit, subject.key, Math.min(nowMs + durationMs, LATEST_MS), nowMs)
      return ledger.commit()
    })
  }

  /** Ends a block. Whether there was one. */
  async unblock(subject: Subject): Promise<boolean> {
    return this.#ask(subject, async ({ ledger, limit, nowMs }) => {
      const had = ledger.unblock(limit, subject.key, nowMs)
      if (had) await ledger.commit()
      return had
    })
  }

  /** Makes the key's quota full and ends its block. Whether there was anything to forget. */
  async reset(subject: Subject): Promise<boolean> {
    return this.#ask(subject, async ({ ledger, limit, nowMs }) => {
      const had = ledger.reset(limit, subject.key, nowMs)
      await ledger.commit()
      return had
    })
  }

  async status(subject: Subject): Promise<KeyStatus> {
    return this.#ask(subject, ({ limit, nowMs }) => limit.keys.status(subject.key, nowMs))
  }

  async stats(subject: Subject): Promise<KeyStats> {
    return this.#ask(subject, ({ limit }) => limit.keys.stats(subject.key))
  }

  /** Reads the whole log anew and compares it with the live state. @throws {StoreCorrupt} {StoreVersion} */
  async verify(): Promise<Verification> {
    return this.#withOpen((open) => {
      this.#armAlarm(open)
      return open.ledger.verify()
    })
  }

  async report(): Promise<ObjectReport> {
    return this.#withOpen((open) => {
      this.#armAlarm(open)
      return {
        admitted: this.#admitted,
        denied: this.#denied,
        rowsWritten: this.#rowsOfClosed + this.#rowsOfAlarms + open.port.sql.rowsWritten,
        commits: this.#commitsOfClosed + open.ledger.commits,
      }
    })
  }

  /** Wipes the object when its key is full and nobody asks any more; else comes again later. */
  override async alarm(): Promise<void> {
    this.#hasAlarm = false
    await this.#withOpen((open) => {
      const nowMs = this.now()
      // A clock that was set back must not keep the object for as long as it was ahead.
      this.#lastAskedMs = Math.min(this.#lastAskedMs, nowMs)
      const fullAtMs = nowMs + fullAfterMs(open.ledger, nowMs)
      if (fullAtMs > nowMs) return this.#setAlarm(fullAtMs)
      if (nowMs - this.#lastAskedMs < LINGER_MS) return this.#setAlarm(this.#lastAskedMs)
      this.#forget(open)
      // A check that arrives meanwhile opens a new ledger, but not before the old one is gone.
      this.#wiping = this.ctx.storage.deleteAll().finally(() => {
        this.#wiping = null
      })
      return this.#wiping
    })
  }

  /** Runs a verb under the policy that the caller sent. One that is none is refused before anything is stored. */
  async #ask<T>(subject: Subject, verb: (asked: Asked) => T): Promise<Awaited<T>> {
    const policy = this.#policyOf(subject)
    return this.#withOpen((open) => {
      const nowMs = this.now()
      this.#lastAskedMs = nowMs
      const { ledger } = open
      try {
        return verb({ ledger, limit: ledger.define(LIMIT_NAME, policy, nowMs), nowMs })
      } finally {
        this.#armAlarm(open)
      }
    })
  }

  /** @throws {PolicyError} */
  #policyOf({ policy: text }: Subject): Policy {
    if (this.#policy?.canonical !== text) this.#policy = parsePolicy(text)
    return this.#policy
  }

  /**
   * Hands the open ledger to `use`. There is no `await` between the look at it and `use`, so that an alarm cannot wipe
   * the ledger under a check.
   */
  async #withOpen<T>(use: (open: Open) => T): Promise<Awaited<T>> {
    while (this.#open === null || !this.#open.ledger.isOpen) await this.#opened()
    return await use(this.#open)
  }

  /** Opens the ledger, once for all who wait. What cannot be read is tried anew by the next call. */
  #opened(): Promise<void> {
    this.#opening ??= this.#openLedger().finally(() => {
      this.#opening = null
    })
    return this.#opening
  }

  async #openLedger(): Promise<void> {
    // One whose commit failed: what is durable takes its place.
    if (this.#open !== null) this.#forget(this.#open)
    // A wipe that failed has changed nothing, and its alarm comes again.
    await this.#wiping?.catch(() => undefined)
    sharedCore ??= new Core()
    const port = objectLedgerPort(this.ctx.storage)
    const ledger = await Ledger.open(port, { core: sharedCore })
    this.#hasAlarm = (await this.ctx.storage.getAlarm()) !== null
    this.#open = { ledger, port }
  }

  #forget({ ledger, port }: Open): void {
    this.#rowsOfClosed += port.sql.rowsWritten
    this.#commitsOfClosed += ledger.commits
    this.#open = null
    ledger.abandon()
  }

  /** Whatever is stored has an alarm, so that it goes some day. It looks again when it comes: no check need move it. */
  #armAlarm({ ledger }: Open): void {
    if (this.#hasAlarm) return
    const nowMs = this.now()
    this.#setAlarm(nowMs + fullAfterMs(ledger, nowMs))
  }

  /** Comes when the object has lingered after a time. */
  #setAlarm(afterMs: number): void {
    this.#hasAlarm = true
    this.#rowsOfAlarms += 1
    // The promise settles with the commit, which the output gate waits for.
    void this.ctx.storage.setAlarm(afterMs + LINGER_MS)
  }
}

/** Time until nothing is used of any key and no block lasts. */
function fullAfterMs(ledger: Ledger, nowMs: number): number {
  return Math.max(0, ...ledger.limits.map((limit) => limit.keys.fullAfterMs(nowMs)))
}
