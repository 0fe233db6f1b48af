import type { RecentTexts } from "../lib/recent-texts.js"
import type { NamedLimits } from "../limiter/named-limits.js"
import type { EventStream } from "../metrics/event-stream.js"
import type { LimitGauge, Metrics } from "../metrics/metrics.js"
import type { Clock } from "../types/clock.js"
import type { Decision } from "../types/decision.js"
import type { ApiAnswer, ApiRequest } from "./api-request.js"
import type { LimitStorage } from "./storage.js"
import type { DecidingLimit } from "./told-limit.js"

/** Hears of a decision: which limit made it, how many seconds it took, and when it was. */
export type DecisionHearer = (decision: Decision, limit: DecidingLimit, seconds: number, nowMs: number) => void

/** What every route works on. */
export interface ApiContext {
  readonly limits: NamedLimits
  readonly storage: LimitStorage | null
  readonly metrics: Metrics
  readonly events: EventStream
  readonly clock: Clock
  /** What `/v1/health` tells beside `ok`. */
  readonly about: { readonly version?: string; readonly storage?: string }
  readonly startedAtMs: number
  /** The receipts told lately to calls that had an id. */
  readonly recent: RecentTexts
  /** The names of limits and groups that a configuration gives: no keys. */
  readonly givenNames: ReadonlySet<string>
  /** The names of limits that cannot be changed or removed here. */
  readonly fixedNames: ReadonlySet<string>
  /** How many limits a check of that name asks: one, or all of a group. */
  limitsAsked(name: string): number
  /** Tells all who hear of decisions of one; `null` where the limits tell of them themselves. */
  readonly tellDecision: DecisionHearer | null
  /** Told of checks that the store failed to decide, however many there were. */
  onFailure(checks: number): void
  /** The counts to be told, and when they were counted; more than this process's own where several serve the limits. */
  collect(): Promise<{ readonly metrics: Metrics; readonly atMs: number }>
  /** The configured limits to be told beside them. */
  limitGauges(): Promise<readonly LimitGauge[]>
  /** The answer that describes the API. */
  document(): ApiAnswer
  /** Answers `/v1/events` where the stream is elsewhere. */
  readonly eventSource: ((request: ApiRequest) => Promise<Response>) | null
}
