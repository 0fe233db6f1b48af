import { waitUntil } from "cloudflare:workers"
import type { DecidingLimit } from "../../src/api/told-limit.js"
import { withDeadline } from "../../src/http/with-deadline.js"
import type { HistoryEntry } from "../../src/limiter/named-limits.js"
import { Histogram } from "../../src/metrics/histogram.js"
import { type AsideCount, asideCountOf } from "../../src/metrics/metrics.js"
import type { Decision } from "../../src/types/decision.js"
import { shardOf } from "../object-name.js"
import type { ToldDecision } from "./event-hub-object.js"
import { KEY_SHARDS, LIMIT_SHARDS, type Registry } from "./registry.js"
import type { KeyReport, LimitReport } from "./registry-object.js"

/** How long reports wait for others to go with them. */
const EVERY_MS = 250
/** A report that is later than this is given up for lost. */
const OVERDUE_MS = 5_000
const PATIENCE_MS = 1_000
/** Events of one key told in one report; its counts are whole however many came. */
const MOST_EVENTS = 20
/** Keys held for the next report, and decisions for the stream; beyond, what is new is not told. */
const MOST_KEYS = 10_000
const MOST_DECISIONS = 1_000

type Told = KeyReport["events"][number]
type Mutable<T> = { -readonly [Name in keyof T]: T[Name] }
type KeyCounts = Mutable<Omit<KeyReport, "events">> & { events: Mutable<Told>[] }

/**
 * Collects what an isolate decides, and tells the registry now and then: after the answers, never before one.
 */
export class Reporter {
  readonly #registry: Registry
  readonly #analytics: AnalyticsEngineDataset | null
  #keys = new Map<string, KeyCounts>()
  #limits = new Map<string, Mutable<LimitReport>>()
  /** Of what the objects did not decide. */
  #aside = new Map<AsideCount, number>()
  /** How long decisions took. */
  #times = new Histogram()
  #decisions: ToldDecision[] = []
  #sending: Promise<void> | null = null
  #waitingSinceMs = Number.NEGATIVE_INFINITY

  /** @param analytics gets a data point of each decision, where one is bound: never a key */
  constructor(registry: Registry, analytics: AnalyticsEngineDataset | null = null) {
    this.#registry = registry
    this.#analytics = analytics
  }

  /**
   * A check that was decided.
   *
   * @param seconds how long that took; `null` where nobody looked
   */
  decided(decision: Decision, { name, label }: DecidingLimit, scope: string, seconds: number | null = null): void {
    const { allowed, cost, key, remaining, reason } = decision
    if (cost === 0) return
    if (seconds !== null) this.#times.observe(seconds)
    this.#analytics?.writeDataPoint({
      indexes: [label.slice(0, 96)],
      blobs: [label, allowed ? "allowed" : "denied", reason],
      doubles: [cost, remaining],
    })
    const atMs = Date.now()
    const aside = asideCountOf(reason)
    if (aside !== null) this.#addAside(aside, 1)
    const totals = this.#totalsOf(label)
    const counts = this.#countsOf(scope, key)
    if (allowed) {
      totals.allowed++
      totals.allowedCost += cost
    } else {
      totals.denied++
      totals.deniedCost += cost
    }
    if (counts !== null) {
      if (allowed) {
        counts.allowed++
        counts.allowedCost += cost
        counts.lastAllowedAt = atMs
      } else {
        counts.denied++
        counts.deniedCost += cost
        counts.lastDeniedAt = atMs
      }
      addEvent(counts, { atMs, event: allowed ? "admit" : "deny", units: cost, count: 1 })
    }
    if (this.#decisions.length < MOST_DECISIONS) {
      const { receipt: _, rules: __, ...plain } = decision
      this.#decisions.push({ decision: plain, limit: name, atMs })
    }
    this.#later()
  }

  /** Checks that were answered with an error, for the objects of their keys could not be asked. */
  failed(checks: number): void {
    this.#addAside("error", checks)
    this.#later()
  }

  #addAside(what: AsideCount, count: number): void {
    this.#aside.set(what, (this.#aside.get(what) ?? 0) + count)
  }

  /** Another event of a key. */
  noted(event: HistoryEntry["event"], scope: string, key: string, units: number): void {
    const atMs = Date.now()
    const counts = this.#countsOf(scope, key)
    if (counts === null) return
    if (event === "reset") counts.lastResetAt = atMs
    addEvent(counts, { atMs, event, units, count: 1 })
    this.#later()
  }

  /** `flush` before a question: a report that is lost, which the log says, or late fails no answer. */
  async tryFlush(): Promise<void> {
    const told = this.flush().catch(noteLoss)
    waitUntil(told)
    await withDeadline(told, OVERDUE_MS).catch(noteLoss)
  }

  /**
   * Resolves when all that was collected so far is told, as far as this isolate can know.
   *
   * @throws what the first report that was lost threw, when the others have arrived
   */
  async flush(): Promise<void> {
    // Another request's sending may have ended with that request, unheard: it is not waited for beyond reason. Where it
    // fails, that request says so.
    if (this.#sending !== null) await Promise.race([this.#sending.catch(() => undefined), pause(PATIENCE_MS)])
    if (this.#keys.size + this.#limits.size + this.#aside.size + this.#decisions.length === 0) return
    const sending = this.#send()
    this.#sending = sending
    await sending.finally(() => {
      if (this.#sending === sending) this.#sending = null
    })
  }

  /** The first request with something to tell waits a moment and takes along what the others have meanwhile. */
  #later(): void {
    const nowMs = Date.now()
    // Where that request was cut off before its time, or the clock was set back, another one takes over.
    const waitedMs = nowMs - this.#waitingSinceMs
    if (waitedMs >= 0 && waitedMs < OVERDUE_MS) return
    this.#waitingSinceMs = nowMs
    const wait = pause(EVERY_MS).then(() => {
      this.#waitingSinceMs = Number.NEGATIVE_INFINITY
      return this.flush()
    })
    waitUntil(wait.catch(noteLoss))
  }

  async #send(): Promise<void> {
    const [keys, limits, aside, decisions] = [this.#keys, this.#limits, this.#aside, this.#decisions]
    const times = this.#times.count > 0 ? this.#times.told() : null
    this.#keys = new Map()
    this.#limits = new Map()
    this.#aside = new Map()
    this.#times = new Histogram()
    this.#decisions = []
    const byShard = Map.groupBy(keys.values(), ({ key }) => shardOf(key, KEY_SHARDS))
    const limitsByShard = Map.groupBy(limits.values(), ({ limit }) => shardOf(limit, LIMIT_SHARDS))
    const outcomes = await Promise.allSettled([
      ...[...byShard].map(([shard, reports]) => this.#registry.keyShard(shard).report(reports)),
      // The times are not by limit, so they go with the first shard's counts, and make no call of their own.
      ...[...limitsByShard].map(([shard, reports], index) => {
        return this.#registry.limitShard(shard).addTotals(reports, index === 0 ? times : null)
      }),
      ...[...aside].map(([what, count]) => this.#registry.ofLimit(what).addAside(what, count)),
      decisions.length > 0 ? this.#registry.hub.push(decisions) : undefined,
    ])
    const lost = outcomes.find((outcome) => outcome.status === "rejected")
    if (lost !== undefined) throw lost.reason
  }

  #totalsOf(limit: string): Mutable<LimitReport> {
    let totals = this.#limits.get(limit)
    if (totals === undefined) {
      totals = { limit, allowed: 0, denied: 0, allowedCost: 0, deniedCost: 0 }
      this.#limits.set(limit, totals)
    }
    return totals
  }

  #countsOf(scope: string, key: string): KeyCounts | null {
    // The scope and the key may contain any separator, so the length tells where the one ends.
    const subject = `${scope.length} ${scope}${key}`
    let counts = this.#keys.get(subject)
    if (counts === undefined) {
      if (this.#keys.size >= MOST_KEYS) return null
      counts = {
        scope,
        key,
        allowed: 0,
        denied: 0,
        allowedCost: 0,
        deniedCost: 0,
        lastAllowedAt: null,
        lastDeniedAt: null,
        lastResetAt: null,
        events: [],
      }
      this.#keys.set(subject, counts)
    }
    return counts
  }
}

/** The same denial again counts with the one before. */
function addEvent({ events }: KeyCounts, event: Told): void {
  const last = events.at(-1)
  if (last !== undefined && last.event === "deny" && event.event === "deny" && last.units === event.units) {
    last.count++
    last.atMs = event.atMs
    return
  }
  events.push({ ...event })
  if (events.length > MOST_EVENTS) events.shift()
}

function noteLoss(error: unknown): void {
  console.error("Reports were lost:", error)
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
