import type { Reason } from "./decision.js"

/** A decision as the event stream tells it. */
export interface DecisionEvent {
  /** Ascending by 1 within a stream. */
  readonly id: number
  /** Milliseconds since the Unix epoch. */
  readonly atMs: number
  readonly key: string
  /** The limit that decided, by its name: that of a key's own limit is the key. */
  readonly limit: string
  readonly allowed: boolean
  readonly cost: number
  readonly remaining: number
  readonly retryAfterMs: number
  readonly reason: Reason
}
