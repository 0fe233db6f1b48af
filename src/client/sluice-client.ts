import { inNameOrder } from "../lib/name-order.js"
import {
  DEFAULT_TOP,
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
import { requirePage } from "../limiter/page.js"
import {
  callIdOf,
  costOf,
  costOfItem,
  costToExplain,
  HISTORY_NAMES,
  LIST_NAMES,
  PAGE_NAMES,
  requireChoice,
  requireItems,
  requireKey,
  requireName,
  requireOptionNames,
  requireRefund,
  requireSettlement,
  requireTop,
  requireUnits,
} from "../limiter/require-check-options.js"
import { parsePolicy } from "../policy/parse-policy.js"
import type { Duration, PolicyInput } from "../policy/policy.js"
import {
  type AllDecisionJson,
  type DecisionJson,
  type ExplanationJson,
  type HistoryJson,
  type StatusJson,
  type TopJson,
  writeReceipt,
} from "../types/api-json.js"
import type { Decision } from "../types/decision.js"
import type { DecisionEvent } from "../types/decision-event.js"
import { LimitNotFound } from "../types/errors.js"
import type { AllDecision, AllOptions, CheckItem, CheckOptions, KeyStats, KeyStatus } from "../types/limiter.js"
import type { Receipt } from "../types/receipt.js"
import type { Compaction, Diagnosis, LogCheck } from "../types/storage-report.js"
import {
  readAllDecision,
  readDecision,
  readExplanation,
  readFlag,
  readHistory,
  readLimit,
  readStats,
  readStatus,
  readTop,
} from "./read-answers.js"
import { type EventOptions, readEvents } from "./read-events.js"
import {
  type CompactionJson,
  type HealthJson,
  readCompaction,
  readDiagnosis,
  readHealth,
  readLogCheck,
  readTotals,
  type ServerHealth,
  type ServerTotals,
  type TotalsJson,
} from "./server-answers.js"
import { type Sending, Transport, type TransportOptions } from "./transport.js"

export type SluiceClientOptions = TransportOptions

/** What every call may say. */
export interface CallOptions {
  /** Gives the call up. What was sent may have been charged. */
  readonly signal?: AbortSignal | undefined
}

const CALL_NAMES = ["signal"]
const ALL_NAMES = ["id", ...CALL_NAMES]
const CHECK_NAMES = ["cost", "id", "limit", ...CALL_NAMES]

/** The most entries of a listing that the API tells at once. */
const MAX_LISTED = 1_000

/**
 * The limits of a server, `sluice serve` or a deployed Worker, by the verbs that limits in this process have.
 *
 * A call that can be repeated harmlessly is tried again where the server does not answer: those that ask, those that
 * settle or set something, `check`, which carries an id of its own so that it is charged once, and a `checkAll` that
 * has one, or whose items all do. `charge` and `reset` are not repeated.
 *
 * Every verb fails with what the limiter behind the server throws: `LimitNotFound`, `CostError`, `KeyError`,
 * `PolicyError`, `RangeError`; with `StoreUnavailable` where the server does not answer in time; with `ApiError` where
 * it refuses the request, a wrong token say.
 *
 * @example
 * ```ts
 * import { SluiceClient } from "sluice/client"
 *
 * const limits = new SluiceClient("https://limits.example.com", { token: "what-the-server-was-given" })
 *
 * export async function mayPost(user: string): Promise<boolean> {
 *   return (await limits.check(`user:${user}`, { limit: "posts" })).allowed
 * }
 * ```
 */
export class SluiceClient implements NamedLimits {
  readonly #transport: Transport

  /** @throws {RangeError} where the URL is none, or an option is out of its range */
  constructor(url: string | URL, options: SluiceClientOptions = {}) {
    this.#transport = new Transport(url, options)
  }

  /** Defines a limit, or puts another policy in its place: what was used stays used. */
  async define(name: string, policy: PolicyInput): Promise<NamedLimit> {
    requireKey(name)
    const parsed = parsePolicy(policy)
    await this.#post("/v1/limits", { key: name, policy: parsed.canonical }, { repeatable: true })
    return { name, policy: parsed }
  }

  /** Forgets a limit and all its keys' counts. Whether there was one; `false` too after a lost answer. */
  async remove(name: string): Promise<boolean> {
    requireName(name)
    return this.#read(
      readFlag("removed"),
      await this.#post<{ removed: boolean }>("/v1/remove", { key: name }, { repeatable: true }),
    )
  }

  /** The limits, in the order of their names. */
  async limits(page: Page = {}): Promise<readonly NamedLimit[]> {
    requireOptionNames("list limits", page, PAGE_NAMES)
    const statuses = await this.#pages<StatusJson>("/v1/limits", {}, page, ({ limit }) => limit)
    return this.#read((json) => json.map(readLimit), statuses)
  }

  async limit(name: string): Promise<NamedLimit | null> {
    requireName(name)
    const status = await this.#post<StatusJson | null>("/v1/status", { key: name }, { repeatable: true })
    if (status === null) return null
    const found = this.#read(readLimit, status)
    return found.name === name ? found : null
  }

  /** Asks and charges: once, however often the call has to be repeated. */
  async check(key: string, options: CheckOptions & LimitChoice & CallOptions = {}): Promise<Decision> {
    costOf(key, options, CHECK_NAMES)
    const { signal, id = newId(), ...asked } = options
    const sending = { repeatable: true, signal }
    return this.#read(readDecision, await this.#ask<DecisionJson>("/v1/check", key, { ...asked, id }, sending))
  }

  async allow(key: string, options?: CheckOptions & LimitChoice & CallOptions): Promise<boolean> {
    return (await this.check(key, options)).allowed
  }

  /** What `check` would say, charging nothing. */
  async peek(key: string, options: CheckOptions & LimitChoice & CallOptions = {}): Promise<Decision> {
    costOf(key, options, CHECK_NAMES)
    const { signal, ...asked } = options
    return this.#read(readDecision, await this.#ask<DecisionJson>("/v1/peek", key, asked, { repeatable: true, signal }))
  }

  /**
   * All or nothing. Where the call or every item has an id, it is repeated if its answer is lost, and charges once.
   */
  async checkAll(items: readonly CheckItem[], options: AllOptions & CallOptions = {}): Promise<AllDecision> {
    requireItems(items)
    for (const item of items) costOfItem(item.key, item)
    const callId = callIdOf(options, ALL_NAMES)
    const { signal } = options
    const body = { items: items.map(({ key, cost, limit, id }) => ({ key, cost, limit, id })), id: callId }
    const repeatable = callId !== undefined || items.every(({ id }) => id !== undefined)
    return this.#read(readAllDecision, await this.#post<AllDecisionJson>("/v1/check-all", body, { repeatable, signal }))
  }

  async allowAll(items: readonly CheckItem[], options?: AllOptions & CallOptions): Promise<boolean> {
    return (await this.checkAll(items, options)).allowed
  }

  /** Gives back units of a check, all of them if not told otherwise. A receipt settles once. */
  async refund(receipt: Receipt, units?: number): Promise<void> {
    requireRefund(receipt, units)
    await this.#post("/v1/refund", { receipt: writeReceipt(receipt), units }, { repeatable: true })
  }

  /** Tells what a check cost in the end: less is refunded, more is charged as debt. A receipt settles once. */
  async settle(receipt: Receipt, actualCost: number): Promise<void> {
    requireSettlement(receipt, actualCost)
    await this.#post("/v1/settle", { receipt: writeReceipt(receipt), cost: actualCost }, { repeatable: true })
  }

  /** Takes units whatever is left; not repeated where the answer is lost. */
  async charge(key: string, units: number, choice?: LimitChoice): Promise<void> {
    requireChoice("charge", choice)
    requireUnits(units)
    await this.#ask("/v1/charge", key, { units, ...choice }, { repeatable: false })
  }

  async block(key: string, duration: Duration, choice?: LimitChoice): Promise<void> {
    requireChoice("block", choice)
    await this.#ask("/v1/block", key, { duration, ...choice }, { repeatable: true })
  }

  /** Ends a block. Whether there was one that still lasted; `false` too after a lost answer. */
  async unblock(key: string, choice?: LimitChoice): Promise<boolean> {
    requireChoice("unblock", choice)
    return this.#read(
      readFlag("unblocked"),
      await this.#ask<{ unblocked: boolean }>("/v1/unblock", key, choice, { repeatable: true }),
    )
  }

  /**
   * Makes a key's quota full. Whether there was anything to forget. Not repeated where the answer is lost: a second one
   * would forget what was charged after the first.
   */
  async reset(key: string, choice?: LimitChoice): Promise<boolean> {
    requireChoice("reset", choice)
    return this.#read(
      readFlag("reset"),
      await this.#ask<{ reset: boolean }>("/v1/reset", key, choice, { repeatable: false }),
    )
  }

  async status(key: string, choice?: LimitChoice): Promise<KeyStatus> {
    return this.#read((json) => readStatus(key, json), await this.#status("tell the status", key, choice))
  }

  async stats(key: string, choice?: LimitChoice): Promise<KeyStats> {
    return this.#read(readStats, await this.#status("tell statistics", key, choice))
  }

  async #status(act: string, key: string, choice: LimitChoice | undefined): Promise<StatusJson> {
    requireChoice(act, choice)
    const status = await this.#ask<StatusJson | null>("/v1/status", key, choice, { repeatable: true })
    if (status === null) throw new LimitNotFound(choice?.limit ?? key, choice?.limit === undefined ? "key" : "limit")
    return status
  }

  /** Keys that are known by name, in their order. */
  async list(options: LimitChoice & Page = {}): Promise<readonly string[]> {
    requireOptionNames("list keys", options, LIST_NAMES)
    const { limit, ...page } = options
    return this.#pages<string>("/v1/keys", limit === undefined ? {} : { limit }, page, (key) => key)
  }

  async top(options: TopOptions): Promise<readonly TopEntry[]> {
    requireTop(options)
    const { by, count = DEFAULT_TOP, limit } = options
    const query = queryOf({ by, limit: count, name: limit })
    return this.#read((json) => json.map(readTop), await this.#get<readonly TopJson[]>(`/v1/top${query}`))
  }

  async history(key: string, options: HistoryOptions = {}): Promise<readonly HistoryEntry[]> {
    requireOptionNames("tell a history", options, HISTORY_NAMES)
    const events = await this.#ask<readonly HistoryJson[]>("/v1/history", key, options, { repeatable: true })
    return this.#read((json) => json.map(readHistory), events)
  }

  async explain(key: string, options: Pick<CheckOptions, "cost"> & LimitChoice = {}): Promise<Explanation> {
    costToExplain(key, options)
    return this.#read(
      readExplanation,
      await this.#ask<ExplanationJson>("/v1/explain", key, options, { repeatable: true }),
    )
  }

  /** Makes everything durable that was answered. */
  async flush(): Promise<void> {
    await this.#post("/v1/log/flush", undefined, { repeatable: true })
  }

  /** Writes a snapshot and drops the log that it stands for. Where no log holds all keys, `detail` says so. */
  async compact(): Promise<Compaction> {
    return this.#read(
      readCompaction,
      await this.#post<CompactionJson>("/v1/log/compact", undefined, { repeatable: true }),
    )
  }

  /** Reads every record of the log and compares what it adds up to with the live state. */
  async verify(): Promise<LogCheck> {
    return this.#read(readLogCheck, await this.#post<LogCheck>("/v1/log/verify", undefined, { repeatable: true }))
  }

  /** Whether the store and the runtime are well. */
  async doctor(): Promise<Diagnosis> {
    return this.#read(readDiagnosis, await this.#get<Diagnosis>("/v1/doctor"))
  }

  async health(): Promise<ServerHealth> {
    return this.#read(readHealth, await this.#get<HealthJson>("/v1/health"))
  }

  /** Sums over all limits since the server started, and estimates of the keys seen most. */
  async totals(): Promise<ServerTotals> {
    return this.#read(readTotals, await this.#get<TotalsJson>("/v1/totals"))
  }

  /**
   * Decisions as they are made, until the signal is aborted; a broken connection is resumed where it was.
   *
   * @throws {ApiError} also later, where the server refuses the token by then
   */
  events(options: EventOptions = {}): AsyncGenerator<DecisionEvent> {
    const transport = this.#transport
    return readEvents(
      (path, headers, signal) => transport.open(path, headers, signal),
      (what) => transport.foreignAnswer(200, what),
      options,
    )
  }

  /** Page by page as far as the caller wants: all where no count is given. */
  async #pages<T>(path: string, query: object, page: Page, nameOf: (item: T) => string): Promise<T[]> {
    requirePage(page)
    const { count = Number.POSITIVE_INFINITY } = page
    const items: T[] = []
    let { after } = page
    // Once also where none are wanted: that a limit is not there is to be told then too.
    for (;;) {
      const wanted = Math.min(count - items.length, MAX_LISTED)
      const asked = `${path}${queryOf({ ...query, after, count: wanted })}`
      const { value, nextAfter } = await this.#transport.sendForPage({ method: "GET", path: asked, repeatable: true })
      const found = this.#read((json) => json.map((each) => each), value as readonly T[])
      items.push(...found)
      // A page may be short though more follow, where something was removed while it was made.
      if (items.length >= count || (nextAfter === null && found.length < wanted)) return items
      const next = nextAfter ?? this.#read(nameOf, found.at(-1)!)
      // Names go up. A page that leads back, or to itself, would be asked for without end.
      if (typeof next !== "string" || inNameOrder(next, after ?? "") <= 0) {
        throw this.#transport.foreignAnswer(200, "a page that does not go on after the one before")
      }
      after = next
    }
  }

  /**
   * Reads JSON, which may come from whoever else answers at this address. @throws {ApiError} where it has another shape
   */
  #read<Json, T>(read: (json: Json) => T, json: Json): T {
    try {
      return read(json)
    } catch {
      throw this.#transport.foreignAnswer(200, "JSON of another shape")
    }
  }

  async #get<T>(path: string): Promise<T> {
    return (await this.#transport.send({ method: "GET", path, repeatable: true })) as T
  }

  /** Asks about a key. One that cannot be is refused here, as in the process, and costs no call. */
  async #ask<T>(
    path: string,
    key: string,
    rest: object | undefined,
    options: Pick<Sending, "repeatable" | "signal">,
  ): Promise<T> {
    requireKey(key)
    return this.#post(path, { key, ...rest }, options)
  }

  async #post<T>(path: string, body: unknown, options: Pick<Sending, "repeatable" | "signal">): Promise<T> {
    return (await this.#transport.send({ method: "POST", path, body, ...options })) as T
  }
}

function queryOf(fields: Readonly<Record<string, unknown>>): string {
  const pairs = Object.entries(fields).flatMap(([name, value]) => (value === undefined ? [] : [[name, String(value)]]))
  return pairs.length === 0 ? "" : `?${new URLSearchParams(pairs)}`
}

/** 122 bits of chance, as text. */
function newId(): string {
  return crypto.randomUUID()
}
