import type { NamedLimits } from "../limiter/named-limits.js"
import type { EventStream } from "../metrics/event-stream.js"
import type { Metrics } from "../metrics/metrics.js"
import type { Clock } from "../types/clock.js"
import type { LimitStorage } from "./storage.js"

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
}
