import type { Duration } from "../../policy/policy.js"
import { SingleLimit, type SingleLimitOptions } from "./single-limit.js"

/** What the windows are made of. */
export interface WindowOptions extends SingleLimitOptions {
  /** Units allowed per window, 1 … 2^31. */
  readonly limit: number
  /** The window's length, 1 ms … 10 years. */
  readonly window: Duration
}

/** What the three windows have in common. */
export abstract class Window<Options extends WindowOptions = WindowOptions> extends SingleLimit<Options> {
  get limit(): number {
    return this.rule.limit
  }

  /** The window's length in ms. */
  get windowMs(): number {
    return this.rule.periodMs
  }

  /** Units that count against the limit now; the limit where it is in debt. */
  get count(): number {
    return this.limit - this.available
  }
}
