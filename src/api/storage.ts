import type { StoreGauges } from "../metrics/metrics.js"
import type { Awaitable } from "../types/limiter.js"
import type { Compaction, Finding, LogCheck } from "../types/storage-report.js"

/** What can be asked of the store behind the limits, where there is one. */
export interface LimitStorage {
  /** Makes everything durable that was answered. */
  flush(): Awaitable<void>
  compact(): Awaitable<Compaction>
  verify(): Awaitable<LogCheck>
  doctor(): Awaitable<readonly Finding[]>
  gauges(): Awaitable<StoreGauges>
}
