import { Window, type WindowOptions } from "./window.js"

/**
 * Counts over a window that slides: the current one, and of the one before the share that it still covers.
 *
 * @example
 * ```ts
 * import { ManualClock } from "sluice"
 * import { SlidingWindow } from "sluice/algorithms"
 *
 * const clock = new ManualClock(0)
 * const window = new SlidingWindow({ limit: 10, window: "1m", clock })
 * window.allow(8) // true
 * clock.advance(90_000)
 * window.count // 4
 * ```
 */
export class SlidingWindow extends Window {
  /** @throws {PolicyError} where limit or window cannot be */
  constructor(options: WindowOptions) {
    super(options, ["limit", "window"], ({ limit, window }) => ({ limit, period: window, algorithm: "sliding_window" }))
  }
}
