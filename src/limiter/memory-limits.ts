import { requireKey } from "../engine/key-bytes.js"
import { parsePolicy } from "../policy/parse-policy.js"
import type { Duration, Policy, PolicyInput } from "../policy/policy.js"
import { requireFields } from "../policy/require-fields.js"
import { type Clock, systemClock } from "../types/clock.js"
import type { Decision } from "../types/decision.js"
import type { AllDecision, AllOptions, CheckItem, CheckOptions, KeyStats, KeyStatus } from "../types/limiter.js"
import type { Receipt } from "../types/receipt.js"
import { blockEndMs } from "./block-end.js"
import { checkedClock } from "./checked-clock.js"
import { decideAll } from "./decide-all.js"
import { explain, RECENT_EVENTS } from "./explain.js"
import { KeyJournal } from "./key-journal.js"
import { tellWaits } from "./key-waits.js"
import { limitFor, limitNamed } from "./limit-for.js"
import { type LimitEntry, LimitSet } from "./limit-set.js"
import { MEMORY_LIMITS_KINDS, type MemoryLimitsOptions } from "./memory-limits-options.js"
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
} from "./named-limits.js"
import { type OneLimitWithPolicy, oneLimitWithPolicy } from "./one-limit.js"
import { pageOf, requireCount } from "./page.js"
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
} from "./require-check-options.js"
import { TopKeys } from "./top-keys.js"

const DEFAULT_MAX_KEYS = 524_288

/**
 * Several named limits in memory, and keys with limits of their own: exact, synchronous, all in one WebAssembly core.
 *
 * Without `limit`, a key has the limit that was defined under the key's own name, else the one named `"default"`.
 *
 * @example
 * ```ts
 * import { MemoryLimits } from "sluice/limits"
 *
 * const limits = new MemoryLimits({ limits: { default: "100/minute", login: "5/minute" } })
 * limits.check("user:42", { limit: "login" }).remaining // 4
 * limits.check("user:42").remaining // 99
 * limits.define("user:42", "1000/minute")
 * limits.check("user:42").remaining // 999
 * ```
 */
export class MemoryLimits implements NamedLimits {
  /** Tells `checkAll` that every verb answers at once. */
  readonly isSynchronous = true
  readonly #clock: Clock
  readonly #keepsStats: boolean
  readonly #journal: KeyJournal
  readonly #limits: LimitSet

  /**
   * @throws {PolicyError} where a policy is not valid; {KeyError} where a name is not; {RangeError} where an option is
   * not
   */
  constructor(options: MemoryLimitsOptions = {}) {
    requireFields("make limits", options, MEMORY_LIMITS_KINDS)
    const { clock = systemClock, maxKeys = DEFAULT_MAX_KEYS, onFull = "evict-nearest-full" } = options
    const { limits = {}, stats = false, names = 0, history = 0 } = options
    if (history > 0 && names === 0) {
      throw new RangeError(`Cannot make limits: history is ${history}, allowed is 0, since no names are kept.`)
    }
    const policies = new Map<string, Policy>()
    for (const [name, policy] of limits instanceof Map
      ? limits
      : Object.entries(limits as Record<string, PolicyInput>)) {
      requireKey(name)
      policies.set(name, parsePolicy(policy))
    }
    this.#clock = checkedClock(clock)
    this.#keepsStats = stats
    this.#journal = new KeyJournal({ names, history })
    this.#limits = new LimitSet(policies, this.#clock, this.#journal, { maxKeys, onFull, stats })
  }

  /**
   * Defines a limit, or puts another policy in its place: what was used stays used, capped at the new capacity, which
   * costs the number of its keys.
   *
   * @throws {PolicyError} {KeyError}; then nothing has changed
   */
  define(name: string, policy: PolicyInput): NamedLimit {
    requireKey(name)
    const parsed = parsePolicy(policy)
    this.#limits.define(name, parsed, this.#clock.now())
    tellWaits(this)
    return { name, policy: parsed }
  }

  /** Forgets a limit and all its keys' counts. Whether there was one. @throws {KeyError} where the name is no text */
  remove(name: string): boolean {
    requireName(name)
    const wasThere = this.#limits.remove(name)
    tellWaits(this)
    return wasThere
  }

  /**
   * The limits, in the order of their names. Every page costs the number of all of them.
   *
   * @throws {RangeError} where `count` is neither a whole number from 0 nor `Infinity`, or `after` no text
   */
  limits(page?: Page): NamedLimit[] {
    requireOptionNames("list limits", page, PAGE_NAMES)
    return pageOf(this.#limits.names(), page).map((name) => this.limit(name)!)
  }

  /** A limit by its name, or `null`. @throws {KeyError} where the name is no text */
  limit(name: string): NamedLimit | null {
    requireName(name)
    const entry = this.#limits.limit(name)
    return entry === undefined ? null : { name, policy: entry.limit.policy }
  }

  /** A limit as a limiter of its own, for whoever takes one. @throws {LimitNotFound} */
  of(name: string): OneLimitWithPolicy<MemoryLimits> {
    return oneLimitWithPolicy(this, name, () => limitNamed(this.#limits, name).limit.policy)
  }

  /**
   * Asks and charges. A denial consumes nothing; cost 0 asks only.
   *
   * @throws {LimitNotFound} {CostError} {KeyError} {RangeError}; then nothing has changed
   */
  check(key: string, options?: CheckOptions & LimitChoice): Decision {
    const cost = costOfChosen(key, options)
    const entry = limitFor(this.#limits, key, options)
    const nowMs = this.#clock.now()
    const again = entry.limit.toldAgain(key, cost, nowMs, options?.id)
    if (again !== undefined) return again
    const decision = entry.limit.checkAnew(key, cost, nowMs, options?.id)
    if (cost > 0) this.#note(entry, key, decision.allowed ? "admit" : "deny", cost, nowMs)
    return decision
  }

  /** `check`, but only whether. */
  allow(key: string, options?: CheckOptions & LimitChoice): boolean {
    if (options?.id !== undefined || this.#journal.isOn) return this.check(key, options).allowed
    const cost = costOfChosen(key, options)
    return limitFor(this.#limits, key, options).limit.allow(key, cost, this.#clock.now())
  }

  /** What `check` would say, charging nothing. */
  peek(key: string, options?: CheckOptions & LimitChoice): Decision {
    const cost = costOfChosen(key, options)
    const { limit } = limitFor(this.#limits, key, options)
    const nowMs = this.#clock.now()
    return limit.toldAgain(key, cost, nowMs, options?.id) ?? limit.peek(key, cost, nowMs)
  }

  /**
   * Decides several checks together: all are charged, or none is.
   *
   * @throws {RangeError} where the items are none or more than 1,000, or one key and limit come twice; else as `check`;
   * then nothing has changed
   */
  checkAll(items: readonly CheckItem[], options?: AllOptions): AllDecision {
    requireItems(items)
    return decideAll(
      itemsOf(items, options).map((item) => {
        const { key, id } = item
        const entry = limitFor(this.#limits, key, item)
        const options = { cost: costOfItem(key, item), limit: entry.name, id }
        return { limiter: this, key, options, subject: entry.limit.subjectOf(key) }
      }),
    )
  }

  /** `checkAll`, but only whether. */
  allowAll(items: readonly CheckItem[], options?: AllOptions): boolean {
    return this.checkAll(items, options).allowed
  }

  /**
   * Gives back units that a check charged, all of them if not told otherwise. A receipt settles once; that of a limit
   * that was removed gives nothing back.
   *
   * @throws {RangeError} where the receipt is not of these limits or the units are out of range
   */
  refund(receipt: Receipt, units?: number): void {
    this.#settle(receipt, requireRefund(receipt, units))
  }

  /**
   * Tells what a check cost in the end: less is refunded, more is charged as debt. A receipt settles once.
   *
   * @param actualCost whole units, 0 … 2^31
   * @throws {RangeError} where the receipt is not of these limits or the cost is out of range
   */
  settle(receipt: Receipt, actualCost: number): void {
    this.#settle(receipt, requireSettlement(receipt, actualCost))
  }

  /** Settles a receipt that is open, and notes what that changed. */
  #settle(receipt: Receipt, units: number): void {
    const nowMs = this.#clock.now()
    const entry = this.#limits.issuerOf(receipt)
    if (entry === undefined) return
    const atMs = entry.limit.settle(receipt, units, nowMs)
    if (atMs === null || units === 0) return
    this.#note(entry, receipt.key, units > 0 ? "refund" : "charge", Math.abs(units), atMs)
    tellWaits(this, receipt.key)
  }

  /**
   * Takes units whatever is left: a penalty, which may put the key into debt. Whole units, 0 … 2^31.
   *
   * @throws {LimitNotFound} {KeyError}; {RangeError} where the units are out of range, or there is no room for a new
   * key; then nothing has changed
   */
  charge(key: string, units: number, choice?: LimitChoice): void {
    const entry = this.#chosen("charge", key, choice)
    requireUnits(units)
    const nowMs = this.#clock.now()
    entry.limit.charge(key, units, nowMs)
    this.#note(entry, key, "charge", units, nowMs)
  }

  /**
   * Denies a key for a time from now, in place of an earlier block; 1 ms … 10 years.
   *
   * @throws {LimitNotFound} {KeyError}; {RangeError} where the duration is out of range, or `maxKeys` keys
   * of the limit are blocked; then nothing has changed
   */
  block(key: string, duration: Duration, choice?: LimitChoice): void {
    const entry = this.#chosen("block", key, choice)
    const nowMs = this.#clock.now()
    entry.limit.block(key, blockEndMs(duration, nowMs), nowMs)
    this.#note(entry, key, "block", 0, nowMs)
    // An earlier block may have lasted longer.
    tellWaits(this, key)
  }

  /** Ends a block. Whether there was one that still lasted. @throws {LimitNotFound} {KeyError} */
  unblock(key: string, choice?: LimitChoice): boolean {
    const entry = this.#chosen("unblock", key, choice)
    const nowMs = this.#clock.now()
    const wasBlocked = entry.limit.unblock(key, nowMs)
    if (wasBlocked) this.#note(entry, key, "unblock", 0, nowMs)
    tellWaits(this, key)
    return wasBlocked
  }

  /**
   * Makes a key's quota full, ends its block and closes its receipts. Whether there was anything to forget.
   *
   * @throws {LimitNotFound} {KeyError}
   */
  reset(key: string, choice?: LimitChoice): boolean {
    const entry = this.#chosen("reset", key, choice)
    const nowMs = this.#clock.now()
    const hadState = entry.limit.reset(key, nowMs)
    this.#note(entry, key, "reset", 0, nowMs)
    tellWaits(this, key)
    return hadState
  }

  /** A key's state without a check. @throws {LimitNotFound} {KeyError} */
  status(key: string, choice?: LimitChoice): KeyStatus {
    return this.#chosen("tell the status", key, choice).limit.status(key, this.#clock.now())
  }

  /**
   * A key's statistics.
   *
   * @throws {TypeError} where the limits were made without `stats: true`; {LimitNotFound} {KeyError}
   */
  stats(key: string, choice?: LimitChoice): KeyStats {
    requireKept("statistics", this.#keepsStats, "stats: true")
    return this.#chosen("tell statistics", key, choice).limit.stats(key)
  }

  /**
   * The keys that were used, in the order of their names: under a limit, or under any. Every page costs the number of
   * all names that are kept.
   *
   * @throws {TypeError} where the limits were made without `names`; {LimitNotFound}; {RangeError} where `count` is
   * neither a whole number from 0 nor `Infinity`, or `after` no text
   */
  list(choice: LimitChoice & Page = {}): string[] {
    requireOptionNames("list keys", choice, LIST_NAMES)
    requireKept("names", this.#journal.isOn, "names: 10_000")
    if (choice.limit !== undefined) limitNamed(this.#limits, choice.limit)
    const keys = this.#journal.keys(choice.limit).map(({ key }) => key)
    return pageOf(keys, choice)
  }

  /**
   * The keys with the most checks allowed or denied, most first: under a limit, or under any. Keys whose names were
   * forgotten are not among them.
   *
   * @throws {TypeError} where the limits were made without `names` or `stats`; {LimitNotFound}
   */
  top(options: TopOptions): TopEntry[] {
    requireTop(options)
    requireKept("names", this.#journal.isOn, "names: 10_000")
    requireKept("statistics", this.#keepsStats, "stats: true")
    const top = new TopKeys(options)
    if (options.limit !== undefined) limitNamed(this.#limits, options.limit)
    for (const { key, limit } of this.#journal.keys(options.limit)) {
      top.add(key, limit, limitNamed(this.#limits, limit).limit.stats(key))
    }
    return top.best()
  }

  /**
   * A key's last events, newest first. The limits to begin with count as defined when they are made, at the first
   * question. Costs the events that are kept of the key.
   *
   * @throws {TypeError} where the limits were made without `history`; {LimitNotFound} {KeyError}; {RangeError} where
   * `count` is no whole number from 0
   */
  history(key: string, options: HistoryOptions = {}): HistoryEntry[] {
    requireOptionNames("tell a history", options, HISTORY_NAMES)
    const { count = DEFAULT_HISTORY } = options
    requireKept("histories", this.#journal.keepsHistory, "names: 10_000, history: 100")
    requireCount(count)
    requireKey(key)
    return this.#journal.history(limitFor(this.#limits, key, options).name, key, count)
  }

  /** Why a check would be answered as it would be now. @throws as `peek` */
  explain(key: string, options?: Pick<CheckOptions, "cost"> & LimitChoice): Explanation {
    const cost = costToExplain(key, options)
    const entry = limitFor(this.#limits, key, options)
    const nowMs = this.#clock.now()
    return explain({
      limit: entry.name,
      policy: entry.limit.policy,
      decision: entry.limit.peek(key, cost, nowMs),
      status: entry.limit.status(key, nowMs),
      nowMs,
      recent: this.#journal.history(entry.name, key, RECENT_EVENTS),
    })
  }

  #note(entry: LimitEntry, key: string, event: HistoryEntry["event"], units: number, atMs: number): void {
    this.#journal.note({ atMs, event, key, limit: entry.name, units })
  }

  #chosen(act: string, key: string, choice: LimitChoice | undefined): LimitEntry {
    requireChoice(act, choice)
    return limitFor(this.#limits, key, choice)
  }
}

function requireKept(what: string, isKept: boolean, option: string): void {
  if (isKept) return
  throw new TypeError(
    `Cannot tell ${what}: these limits keep none, make them with { ${option} }; a reload turns none on.`,
  )
}
