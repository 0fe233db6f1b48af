import { Core } from "../src/engine/core.js"
import { Ledger } from "../src/ledger/ledger.js"
import { LogTable } from "../src/ledger/log-table.js"
import { type SyncMode, strictestOf } from "../src/ledger/sync-mode.js"
import { type ObjectLedgerPort, objectLedgerPort } from "./object-ledger-port.js"

/**
 * How long an object stays after its keys are full again and nobody asks. Receipts can be settled that long; and a
 * client that comes back meanwhile finds its object, which costs fewer rows than a new one.
 */
const LINGER_MS = 3_600_000

/** The runtime refuses alarms after 2189. One that comes early looks again. */
const MAX_ALARM_MS = Date.UTC(2189, 0, 1)

/**
 * How long records may wait for others under `ahead`. Whatever is lost of them, the key's grant counts as used: so
 * about one row is written for each grant. Less time than an object without calls stays in memory.
 */
const AHEAD_FLUSH_MS = 5_000

let theCore: Core | null = null

/** The objects of an isolate share one core: its memory is theirs together. */
export function sharedCore(): Core {
  theCore ??= new Core()
  return theCore
}

interface Open {
  readonly ledger: Ledger
  readonly port: ObjectLedgerPort
  readonly sync: SyncMode
}

/** The ledger of a Durable Object: opened when it is needed, wiped by an alarm when it says nothing any more. */
export class ObjectLedger {
  readonly #storage: DurableObjectStorage
  readonly #now: () => number
  readonly #holdsMany: boolean
  #open: Open | null = null
  #opening: Promise<void> | null = null
  #wiping: Promise<void> | null = null
  /** The strictest sync mode that was asked for since the object was loaded. */
  #sync: SyncMode | null = null
  #hasAlarm = false
  #lastAskedMs = 0
  #rowsOfAlarms = 0
  #rowsOfClosed = 0
  #commitsOfClosed = 0

  /**
   * @param now the object's time, whole ms
   * @param holdsMany whether it holds keys without end, such as a shard's: it may never rest, so the statistics of a
   *   key go when nobody asked for so long, and a limit of which nothing is left
   */
  constructor(storage: DurableObjectStorage, now: () => number, { holdsMany }: { readonly holdsMany: boolean }) {
    this.#storage = storage
    this.#now = now
    this.#holdsMany = holdsMany
  }

  /** Storage rows billed as written since the object was loaded. */
  get rowsWritten(): number {
    return this.#rowsOfClosed + this.#rowsOfAlarms + (this.#open?.port.sql.rowsWritten ?? 0)
  }

  get commits(): number {
    return this.#commitsOfClosed + (this.#open?.ledger.commits ?? 0)
  }

  /**
   * Hands the open ledger to a verb. There is no `await` between the look at it and the verb, so that an alarm cannot
   * wipe the ledger under a check. Where the ledger is open, as it nearly always is, the verb is run at once. A policy
   * that it put in place is in the file before it is answered, also where nothing was charged under it.
   *
   * @param sync when an answer may be given; where callers differ, as the strictest of them says
   */
  ask<T>(sync: SyncMode, verb: (ledger: Ledger, nowMs: number) => T): T | Promise<Awaited<T>> {
    if (this.#sync !== sync) this.#sync = this.#sync === null ? sync : strictestOf([this.#sync, sync])
    return this.#withOpen((open) => {
      const { ledger } = open
      const nowMs = this.#now()
      this.#lastAskedMs = nowMs
      let defined: Promise<void> | null = null
      let answer: T
      try {
        answer = verb(ledger, nowMs)
      } finally {
        if (ledger.lacksDefinition) defined = ledger.commit()
        this.#armAlarm(open)
      }
      return defined === null ? answer : Promise.all([answer, defined]).then(([told]) => told)
    })
  }

  /**
   * `ask` for a verb that would change nothing where nothing is stored: there it is handed `null`, and nothing is
   * written.
   */
  askStored<T>(sync: SyncMode, verb: (ledger: Ledger | null, nowMs: number) => T): Promise<Awaited<T>> {
    return this.#ifStored(verb, () => this.ask<T>(sync, verb))
  }

  /**
   * Hands the ledger to a question, or `null` where nothing is stored: then nothing is written for it either. The
   * object is wiped as soon as if nobody had asked.
   *
   * @param sync how the ledger is opened where nothing else said so yet
   */
  look<T>(sync: SyncMode, question: (ledger: Ledger | null, nowMs: number) => T): Promise<Awaited<T>> {
    const ask = (open: Open) => {
      this.#armAlarm(open)
      return question(open.ledger, this.#now())
    }
    return this.#ifStored(question, () => this.#withOpen(ask, sync))
  }

  /** No `await` where the ledger is open: what is called first is done first. */
  async #ifStored<T>(
    ofNothing: (ledger: null, nowMs: number) => T,
    ofLedger: () => T | Promise<Awaited<T>>,
  ): Promise<Awaited<T>> {
    while (this.#open === null && this.#wiping !== null) await this.#wiping.catch(() => undefined)
    const isStored = this.#open !== null || this.#opening !== null || this.#isStored()
    return await (isStored ? ofLedger() : ofNothing(null, this.#now()))
  }

  #isStored(): boolean {
    return new LogTable(objectLedgerPort(this.#storage).sql).exists()
  }

  /**
   * Wipes the storage when every key is full and nobody asks any more; else comes again later. Where the storage
   * refuses, it fails, and the runtime repeats it.
   */
  async alarm(): Promise<void> {
    this.#hasAlarm = false
    await this.#withOpen((open) => {
      const nowMs = this.#now()
      // A clock that was set back must not keep the object for as long as it was ahead.
      this.#lastAskedMs = Math.min(this.#lastAskedMs, nowMs)
      const fullAtMs = nowMs + fullAfterMs(open.ledger, nowMs)
      if (fullAtMs > nowMs) return this.#setAlarm(fullAtMs)
      if (nowMs - this.#lastAskedMs < LINGER_MS) return this.#setAlarm(this.#lastAskedMs)
      this.#forget(open)
      // A check that arrives meanwhile opens a new ledger, but not before the old one is gone.
      this.#wiping = this.#storage.deleteAll().finally(() => {
        this.#wiping = null
      })
      return this.#wiping
    })
  }

  /** @param sync how it is opened where no check said so yet */
  #withOpen<T>(use: (open: Open) => T, sync: SyncMode = "always"): T | Promise<Awaited<T>> {
    const open = this.#openNow()
    return open === null ? this.#whenOpen(use, sync) : use(open)
  }

  async #whenOpen<T>(use: (open: Open) => T, sync: SyncMode): Promise<Awaited<T>> {
    let open = this.#openNow()
    for (; open === null; open = this.#openNow()) await this.#opened(sync)
    return await use(open)
  }

  /** What is open, in the way that was asked for. */
  #openNow(): Open | null {
    const open = this.#open
    return open?.ledger.isOpen && open.sync === (this.#sync ?? open.sync) ? open : null
  }

  /** Opens the ledger, once for all who wait. What cannot be read is tried anew by the next call. */
  #opened(sync: SyncMode): Promise<void> {
    this.#opening ??= this.#openLedger(this.#sync ?? sync).finally(() => {
      this.#opening = null
    })
    return this.#opening
  }

  async #openLedger(sync: SyncMode): Promise<void> {
    const old = this.#open
    if (old !== null) {
      // In another sync mode it closes in order. One whose commit failed gives way to what is durable.
      if (old.ledger.isOpen) await old.ledger.close().catch(() => undefined)
      this.#forget(old)
    }
    // A wipe that failed has changed nothing, and its alarm comes again.
    await this.#wiping?.catch(() => undefined)
    const port = objectLedgerPort(this.#storage)
    const ledger = await Ledger.open(port, {
      core: sharedCore(),
      sync,
      openedAtMs: this.#now(),
      ...(sync === "ahead" && { flushEveryMs: AHEAD_FLUSH_MS }),
      ...(this.#holdsMany && { keepStatsMs: LINGER_MS, dropsEmptyLimits: true }),
    })
    this.#hasAlarm = (await this.#storage.getAlarm()) !== null
    this.#open = { ledger, port, sync }
    // An instance that was evicted knew when it was asked; what it told a caller must outlast it.
    this.#lastAskedMs = Math.max(this.#lastAskedMs, ledger.usedAtMs)
  }

  #forget({ ledger, port }: Open): void {
    this.#rowsOfClosed += port.sql.rowsWritten
    this.#commitsOfClosed += ledger.commits
    this.#open = null
    ledger.abandon()
  }

  /**
   * Whatever is stored has an alarm, so that it goes some day. It looks again when it comes: no check need move it.
   * Where it cannot be set, the next call tries again.
   */
  #armAlarm({ ledger }: Open): void {
    if (this.#hasAlarm) return
    const nowMs = this.#now()
    // The promise settles with the commit, which the output gate waits for.
    this.#setAlarm(nowMs + fullAfterMs(ledger, nowMs)).catch(() => undefined)
  }

  /** Comes when the object has lingered after a time. */
  async #setAlarm(afterMs: number): Promise<void> {
    this.#hasAlarm = true
    this.#rowsOfAlarms += 1
    try {
      await this.#storage.setAlarm(Math.min(afterMs + LINGER_MS, MAX_ALARM_MS))
    } catch (error) {
      this.#hasAlarm = false
      throw error
    }
  }
}

/** Time until nothing is used of any key and no block lasts. */
function fullAfterMs(ledger: Ledger, nowMs: number): number {
  return Math.max(0, ...ledger.limits.map((limit) => limit.openKeys().fullAfterMs(nowMs)))
}
