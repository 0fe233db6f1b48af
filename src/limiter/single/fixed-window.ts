import type { Duration } from "../../policy/policy.js"
import { Window, type WindowOptions } from "./window.js"

export interface FixedWindowOptions extends WindowOptions {
  /** Where windows start: aligned to the Unix epoch (`"epoch"`, the default), or with the first charge (`"first"`). */
  readonly anchor?: "epoch" | "first" | undefined
  /** Shifts windows that are aligned to the epoch, 0 ≤ offset < window. */
  readonly offset?: Duration | undefined
}

/**
 * Counts in windows of a fixed length, which start anew at their end.
 *
 * @example
 * ```ts
 * import { ManualClock } from "sluice"
 * import { FixedWindow } from "sluice/algorithms"
 *
 * const clock = new ManualClock(0)
 * const window = new FixedWindow({ limit: 3, window: "1m", clock })
 * window.allow(2) // true
 * window.count // 2
 * clock.advance(45_000)
 * window.retryAfterMs(2) // 15_000
 * ```
 */
export class FixedWindow extends Window<FixedWindowOptions> {
  /** @throws {PolicyError} where limit, window, anchor or offset cannot be */
  constructor(options: FixedWindowOptions) {
    super(options, ["limit", "window", "anchor", "offset"], ({ limit, window, anchor = "epoch", offset }) => {
      const rule = { limit, period: window, algorithm: "fixed_window", anchor } as const
      return offset === undefined ? rule : { ...rule, offset }
    })
  }
}
