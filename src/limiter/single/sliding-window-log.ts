import { Window, type WindowOptions } from "./window.js"

/**
 * Counts exactly over the last window, by the time of every charge.
 *
 * @example
 * ```ts
 * import { ManualClock } from "sluice"
 * import { SlidingWindowLog } from "sluice/algorithms"
 *
 * const clock = new ManualClock(0)
 * const log = new SlidingWindowLog({ limit: 10, window: "1m", clock })
 * log.allow(8) // true
 * clock.advance(30_000)
 * log.allow(2) // true
 * clock.advance(30_000)
 * log.count // 2
 * ```
 */
export class SlidingWindowLog extends Window {
  /** @throws {PolicyError} where limit or window cannot be */
  constructor(options: WindowOptions) {
    super(options, ["limit", "window"], ({ limit, window }) => ({
      limit,
      period: window,
      algorithm: "sliding_window_log",
    }))
  }
}
