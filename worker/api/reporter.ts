import { waitUntil } from "cloudflare:workers"
import type { DecidingLimit } from "../../src/api/told-limit.js"
import { withDeadline } from "../../src/http/with-deadline.js"
import { sleep } from "../../src/lib/sleep.js"
import type { HistoryEntry } from "../../src/limiter/named-limits.js"
import { Histogram } from "../../src/metrics/histogram.js"
import { type AsideCount, asideCountOf } from "../../src/metrics/metrics.js"
import type { Decision } from "../../src/types/decision.js"
import { shardOf } from "../object-name.js"
import { addEvent, CountedKeys } from "./counted-keys.js"
import type { ToldDecision } from "./event-hub-object.js"
import { KEY_SHARDS, LIMIT_SHARDS, type Registry } from "./registry.js"
import type { KeyReport } from "./registry-keys.js"
import type { LimitReport } from "./registry-totals.js"
import { SharedTimer } from "./shared-timer.js"

/** How long keys that were admitted or changed, and decisions for the stream, wait for others to go with them. */
const SOON_MS = 250
/** How long sums and keys that were only denied wait: who causes them pays nothing for them. */
const LATE_MS = 5_000
/** How long a question waits for what is told before it. */
const OVERDUE_MS = 5_000
const PATIENCE_MS = 1_000
/** Decisions held for the stream; beyond, what is new is not told. */
const MAX_DECISIONS = 1_000
/** A report tells of so many keys that were only denied, at least and at most, and of one for so many denials. */
const FEWEST_DENIED = 16
const MAX_DENIED = 256
const DENIALS_OF_KEY = 64

type Mutable<T> = { -readonly [Name in keyof T]: T[Name] }

/**
 * Collects what an isolate decides, and tells the registry now and then: after the answers, never before one. What a
 * flood of denials makes it tell is bounded: the keys that are denied most come first, the sums are whole.
 */
export class Reporter {
  readonly #registry: Registry
  readonly #analytics: AnalyticsEngineDataset | null
  readonly #keys = new CountedKeys()
  #limits = new Map<string, Mutable<LimitReport>>()
  /** Of what the objects did not decide. */
  #aside = new Map<AsideCount, number>()
  /** How long decisions took. */
  #times = new Histogram()
  #decisions: ToldDecision[] = []
  #sending: Promise<void> | null = null
  readonly #soon = new SharedTimer(SOON_MS, () => this.#sendNext(() => this.#soonCalls()).catch(noteLoss))
  readonly #late = new SharedTimer(LATE_MS, async () => {
    await this.flush().catch(noteLoss)
    if (this.#keys.hasDenied) this.#late.start()
  })

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
    const counts = allowed ? this.#keys.holdUsed(scope, key) : this.#keys.holdDenied(scope, key)
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
    if (this.#decisions.length < MAX_DECISIONS) {
      const { receipt: _, rules: __, ...plain } = decision
      this.#decisions.push({ decision: plain, limit: name, atMs })
    }
    this.#soon.start()
    this.#late.start()
  }

  /** Checks that were answered with an error, for the objects of their keys could not be asked. */
  failed(checks: number): void {
    this.#addAside("error", checks)
    this.#late.start()
  }

  #addAside(what: AsideCount, count: number): void {
    this.#aside.set(what, (this.#aside.get(what) ?? 0) + count)
  }

  /** Another event of a key. */
  noted(event: HistoryEntry["event"], scope: string, key: string, units: number): void {
    const atMs = Date.now()
    const counts = this.#keys.holdUsed(scope, key)
    if (counts === null) return
    if (event === "reset") counts.lastResetAt = atMs
    addEvent(counts, { atMs, event, units, count: 1 })
    this.#soon.start()
  }

  /** `flush` before a question: a report that is lost, which the log says, or late fails no answer. */
  async tryFlush(): Promise<void> {
    const told = this.flush().catch(noteLoss)
    waitUntil(told)
    await withDeadline(told, OVERDUE_MS).catch(noteLoss)
  }

  /** `tryFlush` before a question of one key, with what is held of it. */
  async tryFlushKey(scope: string, key: string): Promise<void> {
    this.#keys.hurry(scope, key)
    await this.tryFlush()
  }

  /**
   * Resolves when what was collected so far is told, as far as this isolate can know: all but keys that were only
   * denied, where those are many.
   *
   * @throws what the first report that was lost threw, when the others have arrived
   */
  async flush(): Promise<void> {
    await this.#sendNext(() => [...this.#lateCalls(), ...this.#soonCalls()])
  }

  /** @param calls takes what was collected */
  async #sendNext(calls: () => Promise<void>[]): Promise<void> {
    // Another request's sending may have ended with that request, unheard: it is not waited for beyond reason. Where it
    // fails, that request says so.
    if (this.#sending !== null) await Promise.race([this.#sending.catch(() => undefined), sleep(PATIENCE_MS)])
    const sending = allOf(calls())
    this.#sending = sending
    await sending.finally(() => {
      if (this.#sending === sending) this.#sending = null
    })
  }

  /** Keys that were admitted or changed, each with its denials, and the stream. */
  #soonCalls(): Promise<void>[] {
    const decisions = this.#decisions
    this.#decisions = []
    const calls = this.#callsOf(this.#keys.takeUsed())
    return decisions.length > 0 ? [...calls, this.#registry.hub.push(decisions)] : calls
  }

  /** Sums, and keys that were only denied. */
  #lateCalls(): Promise<void>[] {
    const [limits, aside] = [[...this.#limits.values()], this.#aside]
    const times = this.#times.count > 0 ? this.#times.told() : null
    this.#limits = new Map()
    this.#aside = new Map()
    this.#times = new Histogram()
    const denials = limits.reduce((sum, { denied }) => sum + denied, 0)
    const share = Math.max(FEWEST_DENIED, Math.floor(denials / DENIALS_OF_KEY))
    const byShard = Map.groupBy(limits, ({ limit }) => shardOf(limit, LIMIT_SHARDS))
    return [
      ...this.#callsOf(this.#keys.takeDenied(Math.min(share, MAX_DENIED))),
      // The times are not by limit, so they go with the first shard's counts, and make no call of their own.
      ...[...byShard].map(([shard, reports], index) => {
        return this.#registry.limitShard(shard).addTotals(reports, index === 0 ? times : null)
      }),
      ...[...aside].map(([what, count]) => this.#registry.ofLimit(what).addAside(what, count)),
    ]
  }

  #callsOf(keys: readonly KeyReport[]): Promise<void>[] {
    const byShard = Map.groupBy(keys, ({ key }) => shardOf(key, KEY_SHARDS))
    return [...byShard].map(([shard, reports]) => this.#registry.keyShard(shard).report(reports))
  }

  #totalsOf(limit: string): Mutable<LimitReport> {
    let totals = this.#limits.get(limit)
    if (totals === undefined) {
      totals = { limit, allowed: 0, denied: 0, allowedCost: 0, deniedCost: 0 }
      this.#limits.set(limit, totals)
    }
    return totals
  }
}

/** Waits for all. @throws what the first that failed threw */
async function allOf(calls: readonly Promise<void>[]): Promise<void> {
  const outcomes = await Promise.allSettled(calls)
  const lost = outcomes.find((outcome) => outcome.status === "rejected")
  if (lost !== undefined) throw lost.reason
}

function noteLoss(error: unknown): void {
  console.error("Reports were lost:", error)
}
