import type { StoreGauges } from "../metrics/metrics.js"
import type { Awaitable } from "../types/limiter.js"

/** One thing that was looked at, and whether it is as it should be. */
export interface Finding {
  readonly name: string
  readonly ok: boolean
  readonly detail: string
}

/** What a compaction did. */
export interface Compaction {
  /** `null` where no log holds all keys together. */
  readonly bytesBefore: number | null
  readonly bytesAfter: number | null
  /** Records that the snapshot now stands for. */
  readonly records: number
  /** For people: why nothing was done, where nothing was. */
  readonly detail?: string
}

/** What a verification of the log found: it reads every record and compares the replayed state with the live one. */
export interface Verification {
  readonly ok: boolean
  readonly segments: number
  readonly records: number
  /** Each names the row and what failed. */
  readonly problems: readonly string[]
}

/** What can be asked of the store behind the limits, where there is one. */
export interface LimitStorage {
  /** Makes everything durable that was answered. */
  flush(): Awaitable<void>
  compact(): Awaitable<Compaction>
  verify(): Awaitable<Verification>
  doctor(): Awaitable<readonly Finding[]>
  gauges(): Awaitable<StoreGauges>
}
