import type { Clock } from "../types/clock.js"

/** How much is remembered, and how long. */
export interface CacheBounds {
  /** The most keys; beyond, the one noted longest ago goes. */
  readonly maxKeys: number
  readonly maxAgeMs: number
  readonly clock: Clock
}
