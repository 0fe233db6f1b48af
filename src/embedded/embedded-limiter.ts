/// <reference lib="esnext.disposable" preserve="true" />
import { requireKey } from "../engine/key-bytes.js"
import { foreignReceipt } from "../engine/receipt-id.js"
import type { Ledger } from "../ledger/ledger.js"
import { type LogPlace, requirePlace } from "../ledger/log-reader.js"
import type { Verification } from "../ledger/verification.js"
import { blockEndMs } from "../limiter/block-end.js"
import { allDecision } from "../limiter/decide-all.js"
import { explain, RECENT_EVENTS } from "../limiter/explain.js"
import { tellWaits } from "../limiter/key-waits.js"
import { limitFor, limitNamed } from "../limiter/limit-for.js"
import {
  DEFAULT_HISTORY,
  type Explanation,
  type HistoryEntry,
  type HistoryOptions,
  type LimitChoice,
  type NamedLimit,
  type NamedLimits,
  type Page,
  type TopEntry,
  type TopOptions,
} from "../limiter/named-limits.js"
import { type OneLimitWithPolicy, oneLimitWithPolicy } from "../limiter/one-limit.js"
import { pageOf, requireCount } from "../limiter/page.js"
import {
  costOfChosen,
  costOfItem,
  costToExplain,
  HISTORY_NAMES,
  itemsOf,
  LIST_NAMES,
  PAGE_NAMES,
  requireChoice,
  requireItems,
  requireName,
  requireOptionNames,
  requireRefund,
  requireSettlement,
  requireTop,
  requireUnits,
} from "../limiter/require-check-options.js"
import { parsePolicy } from "../policy/parse-policy.js"
import type { Duration, PolicyInput } from "../policy/policy.js"
import type { Clock } from "../types/clock.js"
import type { Decision } from "../types/decision.js"
import type { AllDecision, AllOptions, CheckItem, CheckOptions, KeyStats, KeyStatus } from "../types/limiter.js"
import type { Receipt } from "../types/receipt.js"
import type { Compaction } from "../types/storage-report.js"
import type { DoctorReport, EmbeddedStore } from "./embedded-store.js"
import { keyHistory } from "./key-history.js"
import { listOf, topOf } from "./ledger-keys.js"
import { type LogEvent, logEvents } from "./log-event.js"
import { OpenStore } from "./open-store.js"

/**
 * Durable limits in a folder of this machine: `openLimiter` makes it. Every verb is decided in memory when it is
 * called, before the call returns its promise, and told when its record is as durable as the store's `sync` promises.
 *
 * A commit that fails, on a full disk say, rejects its callers with `StoreUnavailable`; the next call opens the store
 * anew and goes on with what is durable. Calls that come meanwhile wait for that, and are decided in their order too.
 */
export class EmbeddedLimiter implements NamedLimits, AsyncDisposable {
  readonly #clock: Clock
  readonly #store: OpenStore

  constructor(ledger: Ledger, store: EmbeddedStore, clock: Clock) {
    this.#store = new OpenStore(store, ledger)
    this.#clock = clock
  }

  /** The folder. */
  get path(): string {
    return this.#store.path
  }

  /**
   * How many keys are held, idle ones that were not swept yet included. `null` once it is closed, and after a commit
   * failed until the next call, which opens the store anew.
   */
  get keyCount(): number | null {
    const { isOpen, limits } = this.#store.ledger
    return isOpen ? limits.reduce((sum, { size }) => sum + size, 0) : null
  }

  /**
   * Defines a limit, or puts another policy in its place: what was used stays used, capped at the new capacity. The
   * limit named `"default"` is the one for keys without a limit of their own.
   *
   * @throws {PolicyError} {KeyError}; then nothing has changed
   */
  async define(name: string, policy: PolicyInput): Promise<NamedLimit> {
    requireKey(name)
    const parsed = parsePolicy(policy)
    return this.#store.use(async (ledger) => {
      ledger.define(name, parsed, this.#clock.now())
      await ledger.commit()
      tellWaits(this)
      return { name, policy: parsed }
    })
  }

  /** Forgets a limit and all its keys' counts. Whether there was one. @throws {KeyError} where the name is no text */
  async remove(name: string): Promise<boolean> {
    requireName(name)
    return this.#store.use(async (ledger) => {
      const limit = ledger.limit(name)
      if (limit !== undefined) ledger.remove(limit, this.#clock.now())
      // Also where it is gone: perhaps by a call whose commit is still on its way.
      await ledger.commit()
      if (limit !== undefined) tellWaits(this)
      return limit !== undefined
    })
  }

  /**
   * The limits, in the order of their names. Every page costs the number of all of them.
   *
   * @throws {RangeError} where `count` is neither a whole number from 0 nor `Infinity`, or `after` no text
   */
  async limits(page?: Page): Promise<NamedLimit[]> {
    requireOptionNames("list limits", page, PAGE_NAMES)
    return this.#store.use((ledger) => {
      const names = ledger.limits.map(({ name }) => name)
      return pageOf(names, page).map((name) => ({ name, policy: ledger.limit(name)!.policy }))
    })
  }

  /** A limit by its name, or `null`. @throws {KeyError} where the name is no text */
  async limit(name: string): Promise<NamedLimit | null> {
    requireName(name)
    return this.#store.use((ledger) => {
      const limit = ledger.limit(name)
      return limit === undefined ? null : { name, policy: limit.policy }
    })
  }

  /** A limit as a limiter of its own, for whoever takes one. @throws {LimitNotFound} */
  of(name: string): OneLimitWithPolicy<EmbeddedLimiter> {
    return oneLimitWithPolicy(this, name, () => limitNamed(this.#store.ledger, name).policy)
  }

  /**
   * Asks and charges. A denial consumes nothing; cost 0 asks only. An admission is told when it is as durable as the
   * store's `sync` promises.
   *
   * @throws {LimitNotFound} {CostError} {KeyError} {RangeError}; then nothing has changed. {StoreUnavailable} where it
   * could not be made durable
   */
  async check(key: string, options?: CheckOptions & LimitChoice): Promise<Decision> {
    const cost = costOfChosen(key, options)
    return this.#store.use((ledger) => {
      const limit = limitFor(ledger, key, options)
      const { decision, needsCommit } = ledger.check(limit, key, cost, this.#clock.now(), options?.id)
      return needsCommit ? ledger.commit().then(() => decision) : decision
    })
  }

  /** `check`, but only whether. */
  async allow(key: string, options?: CheckOptions & LimitChoice): Promise<boolean> {
    return (await this.check(key, options)).allowed
  }

  /** What `check` would say, charging nothing. Under the id of an admission it is told when that is in the file. */
  async peek(key: string, options?: CheckOptions & LimitChoice): Promise<Decision> {
    const cost = costOfChosen(key, options)
    return this.#store.use((ledger) => {
      const limit = limitFor(ledger, key, options)
      const { decision, needsCommit } = ledger.peek(limit, key, cost, this.#clock.now(), options?.id)
      return needsCommit ? ledger.commit().then(() => decision) : decision
    })
  }

  /**
   * Decides several checks together, in one transaction: all are charged, or none is.
   *
   * @throws {RangeError} where the items are none or more than 1,000, or one key and limit come twice; else as `check`;
   * then nothing has changed
   */
  async checkAll(items: readonly CheckItem[], options?: AllOptions): Promise<AllDecision> {
    requireItems(items)
    const named = itemsOf(items, options)
    return this.#store.use((ledger) => {
      const checks = named.map((item) => {
        const { key, id } = item
        const limit = limitFor(ledger, key, item)
        return { limit, key, cost: costOfItem(key, item), ...(id !== undefined && { id }) }
      })
      const answers = ledger.checkAll(checks, this.#clock.now())
      const decision = allDecision(answers.map((answer) => answer.decision))
      return answers.some(({ needsCommit }) => needsCommit) ? ledger.commit().then(() => decision) : decision
    })
  }

  /** `checkAll`, but only whether. */
  async allowAll(items: readonly CheckItem[], options?: AllOptions): Promise<boolean> {
    return (await this.checkAll(items, options)).allowed
  }

  /**
   * Gives back units that a check charged, all of them if not told otherwise. A receipt settles once; that of a limit
   * that was removed gives nothing back, and so does one whose charge a crash lost under `ahead` or `batch`.
   *
   * @throws {RangeError} where the receipt is not of this store or the units are out of range
   */
  async refund(receipt: Receipt, units?: number): Promise<void> {
    await this.#settle(receipt, requireRefund(receipt, units))
  }

  /**
   * Tells what a check cost in the end: less is refunded, more is charged as debt. A receipt settles once.
   *
   * @param actualCost whole units, 0 … 2^31
   * @throws {RangeError} where the receipt is not of this store or the cost is out of range
   */
  async settle(receipt: Receipt, actualCost: number): Promise<void> {
    await this.#settle(receipt, requireSettlement(receipt, actualCost))
  }

  async #settle(receipt: Receipt, units: number): Promise<void> {
    return this.#store.use(async (ledger) => {
      const limit = ledger.limitOf(receipt)
      if (limit === undefined) throw foreignReceipt(receipt.id)
      if (limit !== null) ledger.settle(limit, receipt, units, this.#clock.now())
      await this.#changed(ledger, receipt.key)
    })
  }

  /**
   * Resolves when a change is as durable as it has to be, and tells who waits for the key. Also for a call that found
   * the change made: the commit of the one that made it may still be on its way.
   */
  async #changed(ledger: Ledger, key: string): Promise<void> {
    if (ledger.changeWaits()) await ledger.commit()
    tellWaits(this, key)
  }

  /**
   * Takes units whatever is left: a penalty, which may put the key into debt. Whole units, 0 … 2^31.
   *
   * @throws {LimitNotFound} {KeyError}; {RangeError} where the units are out of range. {StoreUnavailable} where it
   * could not be made durable
   */
  async charge(key: string, units: number, choice?: LimitChoice): Promise<void> {
    requireChoice("charge", choice)
    return this.#store.use(async (ledger) => {
      ledger.charge(limitFor(ledger, key, choice), key, requireUnits(units), this.#clock.now())
      if (ledger.changeWaits()) await ledger.commit()
    })
  }

  /**
   * Denies a key for a time from now, in place of an earlier block; 1 ms … 10 years.
   *
   * @throws {LimitNotFound} {KeyError}; {RangeError} where the duration is out of range. {StoreUnavailable} where it
   * could not be made durable
   */
  async block(key: string, duration: Duration, choice?: LimitChoice): Promise<void> {
    requireChoice("block", choice)
    return this.#store.use(async (ledger) => {
      const nowMs = this.#clock.now()
      ledger.block(limitFor(ledger, key, choice), key, blockEndMs(duration, nowMs), nowMs)
      await this.#changed(ledger, key)
    })
  }

  /** Ends a block. Whether there was one that still lasted. @throws {LimitNotFound} {KeyError} {StoreUnavailable} */
  async unblock(key: string, choice?: LimitChoice): Promise<boolean> {
    requireChoice("unblock", choice)
    return this.#store.use(async (ledger) => {
      const had = ledger.unblock(limitFor(ledger, key, choice), key, this.#clock.now())
      await this.#changed(ledger, key)
      return had
    })
  }

  /**
   * Makes a key's quota full, ends its block and closes its receipts. Whether there was anything to forget.
   *
   * @throws {LimitNotFound} {KeyError} {StoreUnavailable}
   */
  async reset(key: string, choice?: LimitChoice): Promise<boolean> {
    requireChoice("reset", choice)
    return this.#store.use(async (ledger) => {
      const had = ledger.reset(limitFor(ledger, key, choice), key, this.#clock.now())
      await this.#changed(ledger, key)
      return had
    })
  }

  /** A key's state without a check. @throws {LimitNotFound} {KeyError} */
  async status(key: string, choice?: LimitChoice): Promise<KeyStatus> {
    requireChoice("tell the status", choice)
    return this.#store.use((ledger) => {
      return limitFor(ledger, key, choice).openKeys().status(key, this.#clock.now())
    })
  }

  /**
   * A key's statistics. They are kept for as long as the store was opened to keep them.
   *
   * @throws {LimitNotFound} {KeyError}
   */
  async stats(key: string, choice?: LimitChoice): Promise<KeyStats> {
    requireChoice("tell statistics", choice)
    return this.#store.use((ledger) => {
      return limitFor(ledger, key, choice).openKeys().stats(key)
    })
  }

  /**
   * The keys that were decided about, in the order of their names: under a limit, or under any. Every page costs the
   * number of all of them, in short turns of the event loop; a page is sorted in one. A key that comes or goes
   * meanwhile may be told or not.
   *
   * @throws {TypeError} where the store keeps no names; {LimitNotFound}; {RangeError} where `count` is neither a
   * whole number from 0 nor `Infinity`, or `after` no text
   */
  async list(choice: LimitChoice & Page = {}): Promise<string[]> {
    requireOptionNames("list keys", choice, LIST_NAMES)
    return this.#store.use((ledger) => {
      return listOf(ledger, choice)
    })
  }

  /**
   * The keys with the most checks allowed or denied, most first: under a limit, or under any. Costs the number of keys.
   *
   * @throws {TypeError} where the store keeps no names; {LimitNotFound}
   */
  async top(options: TopOptions): Promise<TopEntry[]> {
    requireTop(options)
    return this.#store.use((ledger) => {
      return topOf(ledger, options)
    })
  }

  /**
   * A key's last events, newest first: those that the log still has. It is read back until so many are found, all of it
   * where there are fewer, in short turns of the event loop.
   *
   * @throws {LimitNotFound} {KeyError}; {RangeError} where `count` is no whole number from 0; {StoreCorrupt} where a
   * row is not what was written, {StoreUnavailable} where it cannot be read; then the store goes on
   */
  async history(key: string, options: HistoryOptions = {}): Promise<HistoryEntry[]> {
    requireOptionNames("tell a history", options, HISTORY_NAMES)
    const { count = DEFAULT_HISTORY } = options
    requireCount(count)
    requireKey(key)
    return this.#store.use((ledger) => {
      return keyHistory(ledger, limitFor(ledger, key, options), key, count)
    })
  }

  /**
   * Why a check would be answered as it would be now, and the key's last events. @throws as `peek`, and as `history`
   */
  async explain(key: string, options?: Pick<CheckOptions, "cost"> & LimitChoice): Promise<Explanation> {
    const cost = costToExplain(key, options)
    return this.#store.use(async (ledger) => {
      const limit = limitFor(ledger, key, options)
      const { name, policy } = limit
      const nowMs = this.#clock.now()
      const keys = limit.openKeys()
      const decision = keys.peek(key, cost, nowMs)
      const status = keys.status(key, nowMs)
      const recent = await this.history(key, { limit: name, count: RECENT_EVENTS })
      return explain({ limit: name, policy, decision, status, nowMs, recent })
    })
  }

  /**
   * Every record that the log still has, in order, from a place on, up to the last one that is in the file when the
   * reading begins. Those that come meanwhile are told from the place after that on.
   *
   * @param from `sequence` a whole number from 1, `index` one from 0, as a record tells them
   * @throws {RangeError} at once, where there can be no such place; {StoreCorrupt} where a row is not what was written,
   *   {StoreUnavailable} where it cannot be read; then the store goes on
   */
  records(from?: LogPlace): AsyncGenerator<LogEvent, void, undefined> {
    if (from !== undefined) requirePlace(from)
    return logEvents(() => this.#store.open(), from)
  }

  /**
   * Resolves when everything that was decided so far is in the file.
   *
   * @throws {StoreUnavailable} where that fails, and under `batch` once after a commit failed that nobody waited for
   */
  async flush(): Promise<void> {
    await this.#store.flush()
  }

  /** Writes a snapshot of the state in place of the log that led to it. It does so by itself past `compactBytes`. */
  async compact(): Promise<Compaction> {
    return this.#store.use((ledger) => {
      return ledger.compact()
    })
  }

  /**
   * Reads the whole log anew and compares what it replays to with the live state.
   *
   * @throws {StoreCorrupt} {StoreVersion} where the log is not what was written, {StoreUnavailable} where it cannot be
   *   read; then the store goes on
   */
  async verify(): Promise<Verification> {
    return this.#store.use((ledger) => {
      return ledger.verify()
    })
  }

  /** Looks at everything that can be wrong with the store, and tells it: a fault is told, not thrown. */
  async doctor(): Promise<DoctorReport> {
    return this.#store.doctor()
  }

  /**
   * Commits what is left and lets the folder go. Nothing may be asked afterwards, and who waits in `acquire` hears
   * that; closing again does nothing.
   *
   * @throws {StoreUnavailable} where the commit fails, and of what commits before it have lost unless `onFailure` was
   * told so; the folder is let go then too
   */
  close(): Promise<void> {
    const closed = this.#store.close()
    // From here on every call is refused.
    tellWaits(this)
    return closed
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}
