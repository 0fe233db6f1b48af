import type { Decision } from "../types/decision.js"
import { HeavyHitters } from "./heavy-hitters.js"
import { Histogram } from "./histogram.js"
import { type Labels, PrometheusText, type Sample } from "./prometheus-text.js"

/** A configured limit as the gauges tell it. */
export interface LimitGauge {
  readonly limit: string
  /** Whether the limit's name is a key: then it is told only as the key label allows. */
  readonly isKey: boolean
  readonly algorithm: string
  readonly rate: number
  readonly perMillis: number
  readonly remaining: number
  readonly resetAtMs: number
}

/** What is known of the store, where there is one. Absent fields are not told. */
export interface StoreGauges {
  readonly logBytes?: number
  readonly liveKeys?: number
}

export interface MetricsOptions {
  /**
   * What to tell in place of a key: `null` tells nothing of it. Default: every key is `null`, for keys are often
   * addresses or names of people, and each one is a time series.
   */
  readonly keyLabel?: (key: string) => string | null
  /** The most keys told one by one, and the most limits whose checks are; default 1000. */
  readonly maxSeries?: number
  /**
   * What is counted here: `"api"` what this process is asked and answers, with its times; `"edge"` what is added up of
   * elsewhere, where denials are remembered and fail modes decide. What cannot come is not told as 0. Default `"api"`.
   */
  readonly counts?: "api" | "edge"
}

/** What was done when the limiter's store did not decide: `error` where the check was answered with an error. */
const FAILURES = ["open", "closed", "local", "error"] as const

/** A count of decisions that were made without the store. */
export type AsideCount = "cached" | (typeof FAILURES)[number]

/** What a decision counts as beside its limit's counts, `null` where the store made it. */
export function asideCountOf(reason: Decision["reason"]): AsideCount | null {
  if (reason === "cached") return reason
  return FAILURES.find((mode) => reason === `fail-${mode}`) ?? null
}

interface Totals {
  allowed: number
  denied: number
  allowedCost: number
  deniedCost: number
}

/** Why a token was refused: there was none, it was wrong from there before, or it may be a guess. */
const LOGIN_REFUSALS = ["missing", "repeated", "wrong"] as const

export type LoginRefusal = (typeof LOGIN_REFUSALS)[number]

const TOTALS = ["allowed", "denied", "allowedCost", "deniedCost"] as const
const OTHER = "other"
const SKETCH_SIZE = 1_000

/** Counts decisions for `/metrics`, in bounded memory whatever the keys. */
export class Metrics {
  readonly decisionSeconds = new Histogram()
  readonly commitSeconds = new Histogram()
  /** The keys that were admitted and denied most since the start. */
  readonly mostAllowed = new HeavyHitters(SKETCH_SIZE)
  readonly mostDenied = new HeavyHitters(SKETCH_SIZE)
  readonly #keyLabel: (key: string) => string | null
  readonly #maxSeries: number
  readonly #counts: "api" | "edge"
  readonly #totals = new Map<string, Totals>()
  readonly #aside = new Map<AsideCount, number>()
  readonly #refusedLogins: Record<LoginRefusal, number> = { missing: 0, repeated: 0, wrong: 0 }
  #failedCommits = 0
  /** Whether the configuration could be loaded the last time, and when it could; `null` where there is none. */
  #configLoad: { isGood: boolean; goodAtMs: number } | null = null
  #refusedConnections = 0

  constructor(options: MetricsOptions = {}) {
    const { keyLabel = () => null, maxSeries = 1_000, counts = "api" } = options
    this.#counts = counts
    this.#keyLabel = keyLabel
    this.#maxSeries = maxSeries
  }

  /**
   * @param limit what the limit that decided is told as
   * @param seconds how long the decision took
   */
  decided(decision: Decision, limit: string, seconds: number): void {
    const { allowed, cost, key, reason } = decision
    // Nothing was asked for, so nothing was allowed or denied.
    if (cost === 0) return
    this.decisionSeconds.observe(seconds)
    const totals = this.#totalsOf(limit)
    if (allowed) {
      totals.allowed++
      totals.allowedCost += cost
      this.mostAllowed.add(key)
    } else {
      totals.denied++
      totals.deniedCost += cost
      this.mostDenied.add(key)
    }
    const aside = asideCountOf(reason)
    if (aside !== null) this.addAside(aside, 1)
  }

  /** Checks that were answered with an error, for the store failed. */
  failed(checks: number): void {
    this.addAside("error", checks)
  }

  /** Adds to the decisions that the store did not make. */
  addAside(what: AsideCount, count: number): void {
    this.#aside.set(what, (this.#aside.get(what) ?? 0) + count)
  }

  /** Adds what was counted elsewhere. */
  add(limit: string, counts: Readonly<Totals>): void {
    const totals = this.#totalsOf(limit)
    for (const name of TOTALS) totals[name] += counts[name]
  }

  loginRefused(why: LoginRefusal): void {
    this.#refusedLogins[why]++
  }

  /** The store could not be written, or not be opened anew. */
  commitFailed(): void {
    this.#failedCommits++
  }

  configLoaded(nowMs: number): void {
    this.#configLoad = { isGood: true, goodAtMs: nowMs }
  }

  /** Another configuration could not be loaded: the former one goes on. */
  configRefused(): void {
    if (this.#configLoad !== null) this.#configLoad.isGood = false
  }

  /** A connection was closed, for there are as many as there may be. */
  connectionRefused(): void {
    this.#refusedConnections++
  }

  /** Whether anything is told of a key. */
  tellsKey(key: string): boolean {
    return this.#keyLabel(key) !== null
  }

  /** Sums over all limits, for views that are not Prometheus. */
  sums(): Readonly<Totals> {
    const sums: Totals = { allowed: 0, denied: 0, allowedCost: 0, deniedCost: 0 }
    for (const totals of this.#totals.values()) {
      for (const name of TOTALS) sums[name] += totals[name]
    }
    return sums
  }

  /** Checks that the store did not decide, whatever was done instead. */
  get failures(): number {
    return FAILURES.reduce((sum, mode) => sum + (this.#aside.get(mode) ?? 0), 0)
  }

  /** The Prometheus text of everything. */
  render(limits: readonly LimitGauge[], store: StoreGauges = {}): string {
    const text = new PrometheusText()
    const own = limits.filter(({ isKey }) => isKey).slice(0, this.#maxSeries)
    this.#renderLimits(text, [...limits.filter(({ isKey }) => !isKey), ...own])
    const totals = [...this.#totals].map(([limit, values]) => ({ labels: { limit }, values }))
    const each = (name: keyof Totals): Sample[] => {
      return totals.map(({ labels, values }) => ({ labels, value: values[name] }))
    }
    text
      .add("sluice_requests_allowed_total", "counter", "Checks admitted.", each("allowed"))
      .add("sluice_requests_denied_total", "counter", "Checks denied.", each("denied"))
      .add("sluice_request_cost_allowed_total", "counter", "Units admitted.", each("allowedCost"))
      .add("sluice_request_cost_denied_total", "counter", "Units of denied checks.", each("deniedCost"))
    text.addHistogram("sluice_decision_duration_seconds", "Time from a check to its decision.", this.decisionSeconds)
    if (this.#counts === "api") this.#renderOwn(text)
    this.#renderAside(text)
    const gauges = [
      [
        "sluice_log_size_bytes",
        "Size on disk of the log's SQLite file and its write-ahead log, free pages included.",
        store.logBytes,
      ],
      ["sluice_live_keys", "Keys held, idle ones until a compaction drops them included.", store.liveKeys],
    ] as const
    for (const [name, help, value] of gauges) text.add(name, "gauge", help, value === undefined ? [] : [{ value }])
    this.#renderKeys(text)
    return text.toString()
  }

  /** What only the process knows that decides. */
  #renderOwn(text: PrometheusText): void {
    if (this.commitSeconds.count > 0) {
      text.addHistogram("sluice_commit_duration_seconds", "Time of a commit to the store.", this.commitSeconds)
    }
    text
      .add("sluice_commit_failures_total", "counter", "Times that the store could not be written, or opened anew.", [
        { value: this.#failedCommits },
      ])
      .add(
        "sluice_logins_refused_total",
        "counter",
        "Requests refused for their token: none, one that was wrong from there before, or another wrong one.",
        LOGIN_REFUSALS.map((reason) => ({ labels: { reason }, value: this.#refusedLogins[reason] })),
      )
      .add("sluice_connections_refused_total", "counter", "Connections closed for want of room.", [
        { value: this.#refusedConnections },
      ])
    if (this.#configLoad === null) return
    const { isGood, goodAtMs } = this.#configLoad
    text
      .add(
        "sluice_config_last_reload_successful",
        "gauge",
        "Whether the configuration could be loaded the last time.",
        [{ value: isGood ? 1 : 0 }],
      )
      .add(
        "sluice_config_last_reload_success_timestamp_seconds",
        "gauge",
        "When the configuration in force was loaded, seconds since the epoch.",
        [{ value: goodAtMs / 1000 }],
      )
  }

  /** An API on a store of its own remembers no denial and has no fail mode: of it only errors are told from 0 on. */
  #renderAside(text: PrometheusText): void {
    const isTold = (what: AsideCount) => this.#counts === "edge" || what === "error" || this.#aside.has(what)
    const value = (what: AsideCount) => this.#aside.get(what) ?? 0
    const hits = isTold("cached") ? [{ value: value("cached") }] : []
    text.add("sluice_denial_cache_hits_total", "counter", "Denials answered without asking.", hits).add(
      "sluice_failures_total",
      "counter",
      "Checks that the store did not decide, by what was done instead.",
      FAILURES.filter(isTold).map((mode) => ({ labels: { mode }, value: value(mode) })),
    )
  }

  #renderLimits(text: PrometheusText, limits: readonly LimitGauge[]): void {
    const series = limits.flatMap((limit) => {
      if (!limit.isKey) return [{ limit, labels: { limit: limit.limit } as Labels }]
      const key = this.#keyLabel(limit.limit)
      return key === null ? [] : [{ limit, labels: { key } as Labels }]
    })
    const unique = dropRepeats(series)
    const each = (value: (limit: LimitGauge) => number, among = unique): Sample[] => {
      return among.map(({ limit, labels }) => ({ labels, value: value(limit) }))
    }
    const ofKeys = unique.filter(({ limit }) => limit.isKey)
    text
      .add(
        "sluice_limit_info",
        "gauge",
        "Configured limits.",
        unique.map(({ limit, labels }) => ({ labels: { ...labels, algorithm: limit.algorithm }, value: 1 })),
      )
      .add(
        "sluice_limit_rate",
        "gauge",
        "Units allowed per period, by the rule that binds the key; of a shared limit by its first.",
        each((limit) => limit.rate),
      )
      .add(
        "sluice_limit_per_millis",
        "gauge",
        "The period of that rule in milliseconds.",
        each((limit) => limit.perMillis),
      )
      .add(
        "sluice_limit_remaining",
        "gauge",
        "Units left under that rule.",
        each((limit) => limit.remaining, ofKeys),
      )
      .add(
        "sluice_limit_reset_at_seconds",
        "gauge",
        "When the quota is full again, seconds since the epoch.",
        each((limit) => limit.resetAtMs / 1000, ofKeys),
      )
  }

  /** Estimates of the sketch, which may fall when a key gives way to another: gauges, not counters. */
  #renderKeys(text: PrometheusText): void {
    const tops = [
      ["sluice_top_denied_checks", "Checks denied of the keys denied most, estimated.", this.mostDenied],
      ["sluice_top_allowed_checks", "Checks admitted of the keys admitted most, estimated.", this.mostAllowed],
    ] as const
    for (const [name, help, sketch] of tops) {
      const sums = new Map<string, number>()
      for (const { key, count } of sketch.top(Math.min(100, this.#maxSeries))) {
        const label = this.#keyLabel(key)
        // A mapping may make one label of several keys, a sample comes once.
        if (label !== null) sums.set(label, (sums.get(label) ?? 0) + count)
      }
      text.add(
        name,
        "gauge",
        help,
        [...sums].map(([key, value]) => ({ labels: { key }, value })),
      )
    }
  }

  #totalsOf(limit: string): Totals {
    const known = this.#totals.get(limit)
    if (known !== undefined) return known
    if (this.#totals.size >= this.#maxSeries && limit !== OTHER) return this.#totalsOf(OTHER)
    const made = { allowed: 0, denied: 0, allowedCost: 0, deniedCost: 0 }
    this.#totals.set(limit, made)
    return made
  }
}

/** A mapping of keys may make one label of several limits; the first stands for them. */
function dropRepeats<T extends { readonly labels: Labels }>(series: readonly T[]): T[] {
  const seen = new Set<string>()
  return series.filter(({ labels }) => {
    const text = JSON.stringify(labels)
    if (seen.has(text)) return false
    seen.add(text)
    return true
  })
}
