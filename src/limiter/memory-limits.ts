import { LATEST_MS } from "../engine/core-exports.js"
import { requireKey } from "../engine/key-bytes.js"
import type { OnFull } from "../engine/limit-options.js"
import { settleWithinMs } from "../engine/settled-receipts.js"
import { CLOCK, checkFields, checkNames, flag, type Kinds, OBJECT, oneOf, whole } from "../policy/check-fields.js"
import { parseDurationArgument } from "../policy/parse-duration.js"
import { parsePolicy } from "../policy/parse-policy.js"
import type { Duration, Policy, PolicyInput } from "../policy/policy.js"
import { type Clock, systemClock } from "../types/clock.js"
import type { Decision } from "../types/decision.js"
import { LimitNotFound, show } from "../types/errors.js"
import type { AllDecision, CheckItem, CheckOptions, KeyStats, KeyStatus } from "../types/limiter.js"
import type { Receipt } from "../types/receipt.js"
import { AdmittedIds } from "./admitted-ids.js"
import {
  costOfChosen,
  costToExplain,
  HISTORY_NAMES,
  LIST_NAMES,
  PAGE_NAMES,
  requireActualCost,
  requireChoice,
  requireItems,
  requireNames,
  requireRefund,
  requireUnits,
  TOP_NAMES,
} from "./check-options.js"
import { decideAll } from "./decide-all.js"
import { explain } from "./explain.js"
import { KeyJournal } from "./key-journal.js"
import { type LimitEntry, LimitSet } from "./limit-set.js"
import { inNameOrder } from "./name-order.js"
import {
  DEFAULT_LIMIT,
  type Explanation,
  type HistoryEntry,
  type LimitChoice,
  type NamedLimit,
  type NamedLimits,
  type Page,
  type TopEntry,
} from "./named-limits.js"
import { pageOf, requireCount } from "./page.js"

export interface MemoryLimitsOptions {
  /** The limits to begin with, by name; that of the name `"default"` is the one for keys without a limit of their own. */
  readonly limits?: Readonly<Record<string, PolicyInput>> | ReadonlyMap<string, PolicyInput>
  /** Where the time comes from; default the machine's wall clock. */
  readonly clock?: Clock
  /** The most keys held at once under each limit, 1 … 2^32 − 1; default 524,288. */
  readonly maxKeys?: number
  /** What a new key meets when `maxKeys` are held: see `RateLimiterOptions.onFull`; default `"evict-nearest-full"`. */
  readonly onFull?: OnFull
  /** Whether to keep statistics per key, for `stats` and `top`: 77 to 97 bytes more per key, at most `maxKeys`. Default `false`. */
  readonly stats?: boolean
  /**
   * The most keys whose names are kept, for `list` and `top`, 0 … 2^24; default 0. At the bound the name used least
   * recently is forgotten; its counts stay.
   */
  readonly names?: number
  /** The most events kept of each key whose name is kept, for `history` and `explain`, 0 … 65,536; default 0. */
  readonly history?: number
}

const DEFAULT_MAX_KEYS = 524_288
const MOST_HISTORY = 65_536
const DEFAULT_TOP = 10
const OPTION_KINDS: Kinds<MemoryLimitsOptions> = {
  limits: OBJECT,
  clock: CLOCK,
  maxKeys: whole(1, 2 ** 32 - 1),
  onFull: oneOf("evict-nearest-full", "deny-new"),
  stats: flag(),
  names: whole(0, 2 ** 24),
  history: whole(0, MOST_HISTORY),
}

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
  readonly #maxKeys: number
  readonly #onFull: OnFull
  readonly #keepsStats: boolean
  readonly #names: number
  readonly #historySize: number
  readonly #journal: KeyJournal
  readonly #admitted = new AdmittedIds<Decision>()
  readonly #policies = new Map<string, Policy>()
  /** Made of `#policies` at the first question: a Worker has no randomness while its modules load. */
  #started: LimitSet | null = null

  /** @throws {PolicyError} where a policy is not valid; {KeyError} where a name is not; {RangeError} where an option is not */
  constructor(options: MemoryLimitsOptions = {}) {
    checkFields("make limits", options, OPTION_KINDS)
    const { clock = systemClock, maxKeys = DEFAULT_MAX_KEYS, onFull = "evict-nearest-full" } = options
    const { stats = false, names = 0, history = 0 } = options
    if (history > 0 && names === 0) {
      throw new RangeError(`Cannot make limits: history is ${history}, allowed is 0, since no names are kept.`)
    }
    this.#clock = clock
    this.#maxKeys = maxKeys
    this.#onFull = onFull
    this.#keepsStats = stats
    this.#names = names
    this.#historySize = history
    this.#journal = new KeyJournal({ names, history })
    const { limits = {} } = options
    for (const [name, policy] of limits instanceof Map
      ? limits
      : Object.entries(limits as Record<string, PolicyInput>)) {
      requireKey(name)
      this.#policies.set(name, parsePolicy(policy))
    }
  }

  #start(): LimitSet {
    if (this.#started !== null) return this.#started
    const started = new LimitSet({ maxKeys: this.#maxKeys, onFull: this.#onFull, stats: this.#keepsStats })
    const nowMs = this.#clock.now()
    for (const [name, policy] of this.#policies) {
      started.add(name, policy)
      this.#journal.noteDefinition(name, nowMs)
    }
    this.#started = started
    return started
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
    const started = this.#start()
    const known = started.get(name)
    if (known?.limit.policy.canonical !== parsed.canonical) {
      const nowMs = this.#clock.now()
      if (known === undefined) started.add(name, parsed)
      else known.limit.change(parsed, nowMs)
      this.#journal.noteDefinition(name, nowMs)
    }
    return { name, policy: parsed }
  }

  /** Forgets a limit and all its keys' counts. Whether there was one. */
  remove(name: string): boolean {
    const wasThere = this.#start().remove(name)
    if (wasThere) this.#journal.forget(name)
    return wasThere
  }

  /** The limits, in the order of their names. */
  limits(page?: Page): NamedLimit[] {
    requireNames("list limits", page, PAGE_NAMES)
    return pageOf(this.#start().names(), page).map((name) => this.limit(name)!)
  }

  /** A limit by its name, or `null`. */
  limit(name: string): NamedLimit | null {
    const entry = this.#start().get(name)
    return entry === undefined ? null : { name, policy: entry.limit.policy }
  }

  /**
   * Asks and charges. A denial consumes nothing; cost 0 asks only.
   *
   * @throws {LimitNotFound} {CostError} {KeyError} {RangeError}; then nothing has changed
   */
  check(key: string, options?: CheckOptions & LimitChoice): Decision {
    const cost = costOfChosen(key, options)
    const entry = this.#entryOf(key, options)
    const nowMs = this.#clock.now()
    const known = this.#remembered(entry, key, cost, options, nowMs)
    if (known !== undefined) return known
    const decision = entry.limit.check(key, cost, nowMs)
    if (options?.id !== undefined && decision.receipt !== undefined) {
      this.#admitted.add(options.id, subjectOf(entry, key), decision.cost, nowMs, decision)
    }
    if (cost > 0) this.#note(entry, key, decision.allowed ? "admit" : "deny", cost, nowMs)
    return decision
  }

  /** `check`, but only whether. */
  allow(key: string, options?: CheckOptions & LimitChoice): boolean {
    if (options?.id !== undefined || this.#journal.isOn) return this.check(key, options).allowed
    const cost = costOfChosen(key, options)
    return this.#entryOf(key, options).limit.allow(key, cost, this.#clock.now())
  }

  /** What `check` would say, charging nothing. */
  peek(key: string, options?: CheckOptions & LimitChoice): Decision {
    const cost = costOfChosen(key, options)
    const entry = this.#entryOf(key, options)
    const nowMs = this.#clock.now()
    return this.#remembered(entry, key, cost, options, nowMs) ?? entry.limit.peek(key, cost, nowMs)
  }

  #remembered(
    entry: LimitEntry,
    key: string,
    cost: number,
    options: CheckOptions | undefined,
    nowMs: number,
  ): Decision | undefined {
    return this.#admitted.find(options?.id, subjectOf(entry, key), cost, nowMs, entry.settled)
  }

  /**
   * Decides several checks together: all are charged, or none is.
   *
   * @throws {RangeError} where the items are none, or one key and limit come twice; else as `check`; then nothing has
   * changed
   */
  checkAll(items: readonly CheckItem[]): AllDecision {
    requireItems(items)
    return decideAll(
      items.map((item) => {
        const { key, cost = 1 } = item
        const entry = this.#entryOf(key, item)
        const options = { cost, limit: entry.name }
        return {
          subject: subjectOf(entry, key),
          key,
          peek: () => this.peek(key, options),
          check: () => this.check(key, options),
          refund: (decision: Decision) => decision.receipt && this.refund(decision.receipt),
        }
      }),
    )
  }

  /** `checkAll`, but only whether. */
  allowAll(items: readonly CheckItem[]): boolean {
    return this.checkAll(items).allowed
  }

  /**
   * Gives back units that a check charged, all of them if not told otherwise. A receipt settles once; that of a limit
   * that was removed gives nothing back.
   *
   * @throws {RangeError} where the receipt is not of these limits or the units are out of range
   */
  refund(receipt: Receipt, units?: number): void {
    const unused = requireRefund(receipt, units)
    const nowMs = this.#clock.now()
    const entry = this.#settle(receipt, nowMs)
    if (entry !== null) this.#giveBack(entry, receipt, unused, nowMs)
  }

  /**
   * Tells what a check cost in the end: less is refunded, more is charged as debt. A receipt settles once.
   *
   * @throws {RangeError} where the receipt is not of these limits or the cost is out of range
   */
  settle(receipt: Receipt, actualCost: number): void {
    requireActualCost(receipt, actualCost)
    const nowMs = this.#clock.now()
    const entry = this.#settle(receipt, nowMs)
    if (entry === null) return
    const unused = receipt.cost - actualCost
    if (unused > 0) this.#giveBack(entry, receipt, unused, nowMs)
    else if (unused < 0) this.#charge(entry, receipt.key, -unused, nowMs)
  }

  #giveBack(entry: LimitEntry, { key, chargedAtMs }: Receipt, units: number, nowMs: number): void {
    entry.limit.refund(key, units, chargedAtMs, nowMs)
    this.#note(entry, key, "refund", units, nowMs)
  }

  #charge(entry: LimitEntry, key: string, units: number, nowMs: number): void {
    entry.limit.charge(key, units, nowMs)
    this.#note(entry, key, "charge", units, nowMs)
  }

  /** The limit of a receipt that was open and is closed now; `null` where it was closed, or its limit is gone. */
  #settle(receipt: Receipt, nowMs: number): LimitEntry | null {
    const entry = this.#started?.issuerOf(receipt)
    if (entry === undefined) {
      throw new RangeError(`Cannot settle receipt ${show(receipt.id)}: it is not of these limits.`)
    }
    // Throws where the rest of the receipt cannot be, while the one that was given stays open.
    entry?.limit.refund(receipt.key, 0, receipt.chargedAtMs, nowMs)
    return entry?.settled.add(receipt, nowMs, settleWithinMs(entry.limit.policy)) ? entry : null
  }

  /** Takes units whatever is left: a penalty, which may put the key into debt. Whole units, 0 … 2^31. */
  charge(key: string, units: number, choice?: LimitChoice): void {
    this.#charge(this.#chosen("charge", key, choice), key, requireUnits(units), this.#clock.now())
  }

  /** Denies a key for a time from now, in place of an earlier block; 1 ms … 10 years. */
  block(key: string, duration: Duration, choice?: LimitChoice): void {
    const entry = this.#chosen("block", key, choice)
    const nowMs = this.#clock.now()
    entry.limit.block(key, Math.min(nowMs + parseDurationArgument("block", "duration", duration), LATEST_MS), nowMs)
    this.#note(entry, key, "block", 0, nowMs)
  }

  /** Ends a block. Whether there was one. */
  unblock(key: string, choice?: LimitChoice): boolean {
    const entry = this.#chosen("unblock", key, choice)
    const hadBlock = entry.limit.unblock(key)
    if (hadBlock) this.#note(entry, key, "unblock", 0, this.#clock.now())
    return hadBlock
  }

  /** Makes a key's quota full and ends its block. Whether there was anything to forget. */
  reset(key: string, choice?: LimitChoice): boolean {
    const entry = this.#chosen("reset", key, choice)
    const nowMs = this.#clock.now()
    const hadState = entry.limit.reset(key, nowMs)
    if (hadState) this.#note(entry, key, "reset", 0, nowMs)
    return hadState
  }

  /** A key's state without a check. */
  status(key: string, choice?: LimitChoice): KeyStatus {
    return this.#chosen("tell the status", key, choice).limit.status(key, this.#clock.now())
  }

  /** A key's statistics. @throws {TypeError} where the limits were made without `stats: true` */
  stats(key: string, choice?: LimitChoice): KeyStats {
    this.#requireKept("statistics", this.#keepsStats, "stats: true")
    return this.#chosen("tell statistics", key, choice).limit.stats(key)
  }

  /**
   * The keys that were used, in the order of their names: under a limit, or under any.
   *
   * @throws {TypeError} where the limits were made without `names`; {LimitNotFound}
   */
  list(choice: LimitChoice & Page = {}): string[] {
    requireNames("list keys", choice, LIST_NAMES)
    this.#requireKept("names", this.#names > 0, "names: 10_000")
    if (choice.limit !== undefined) this.#entryNamed(choice.limit)
    return pageOf([...new Set(this.#journal.keys(choice.limit).map(({ key }) => key))], choice)
  }

  /**
   * The keys with the most checks allowed or denied, most first: under a limit, or under any. Keys whose names were
   * forgotten are not among them.
   *
   * @throws {TypeError} where the limits were made without `names` or `stats`; {LimitNotFound}
   */
  top(options: Parameters<NamedLimits["top"]>[0]): TopEntry[] {
    checkNames("tell the top", options, TOP_NAMES)
    const { by, count = DEFAULT_TOP, limit } = options
    this.#requireKept("names", this.#names > 0, "names: 10_000")
    this.#requireKept("statistics", this.#keepsStats, "stats: true")
    if (by !== "allowed" && by !== "denied") {
      throw new RangeError(`Cannot tell the top: by is ${show(by)}, allowed is "allowed" or "denied".`)
    }
    requireCount(count)
    if (limit !== undefined) this.#entryNamed(limit)
    const total = (stats: KeyStats) => (by === "allowed" ? stats.totalAllowed : stats.totalDenied)
    return this.#journal
      .keys(limit)
      .map((each) => ({ key: each.key, limit: each.limit, stats: this.#entryNamed(each.limit).limit.stats(each.key) }))
      .filter(({ stats }) => total(stats) > 0)
      .sort((a, b) => total(b.stats) - total(a.stats) || inNameOrder(a.key, b.key))
      .slice(0, count)
  }

  /**
   * A key's last events, newest first.
   *
   * @throws {TypeError} where the limits were made without `history`; {LimitNotFound}
   */
  history(key: string, options: { readonly count?: number } & LimitChoice = {}): HistoryEntry[] {
    requireNames("tell a history", options, HISTORY_NAMES)
    const { count = MOST_HISTORY } = options
    this.#requireKept("histories", this.#historySize > 0, "names: 10_000, history: 100")
    requireCount(count)
    requireKey(key)
    return this.#journal.history(this.#entryOf(key, options).name, key, count)
  }

  /** Why a check would be answered as it would be now. @throws as `peek` */
  explain(key: string, options?: Pick<CheckOptions, "cost"> & LimitChoice): Explanation {
    const cost = costToExplain(key, options)
    const entry = this.#entryOf(key, options)
    const nowMs = this.#clock.now()
    return explain({
      limit: entry.name,
      policy: entry.limit.policy,
      decision: entry.limit.peek(key, cost, nowMs),
      status: entry.limit.status(key, nowMs),
      nowMs,
      recent: this.#journal.history(entry.name, key, DEFAULT_TOP),
    })
  }

  #note(entry: LimitEntry, key: string, event: HistoryEntry["event"], units: number, atMs: number): void {
    this.#journal.note({ atMs, event, key, limit: entry.name, units })
  }

  #chosen(act: string, key: string, choice: LimitChoice | undefined): LimitEntry {
    requireChoice(act, choice)
    return this.#entryOf(key, choice)
  }

  #entryOf(key: string, choice: LimitChoice | undefined): LimitEntry {
    if (choice?.limit !== undefined) return this.#entryNamed(choice.limit)
    const started = this.#start()
    const entry = started.get(key) ?? started.get(DEFAULT_LIMIT)
    if (entry !== undefined) return entry
    requireKey(key)
    throw new LimitNotFound(key, "key")
  }

  #entryNamed(name: string): LimitEntry {
    const entry = this.#start().get(name)
    if (entry === undefined) throw new LimitNotFound(name)
    return entry
  }

  #requireKept(what: string, isKept: boolean, option: string): void {
    if (isKept) return
    throw new TypeError(`Cannot tell ${what}: these limits keep none, make them with { ${option} }.`)
  }
}

function subjectOf({ ordinal }: LimitEntry, key: string): string {
  return `${ordinal} ${key}`
}
