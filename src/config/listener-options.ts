import { CLOCK, FUNCTION, type Kinds } from "../policy/require-fields.js"
import type { Clock } from "../types/clock.js"
import type { Decision } from "../types/decision.js"
import { LOG_OUTPUT, type LogOutput } from "./decision-log.js"

/** Who hears of decisions as a configuration says, and by what time. */
export interface ListenerOptions {
  /** Where the log goes; default the console. */
  readonly log?: LogOutput | undefined
  /** Tells the time; default the machine's clock. */
  readonly clock?: Clock | undefined
  /** Hears of the share of decisions that `analytics` says, while that is enabled. */
  readonly onSample?: ((decision: Decision) => void) | undefined
  /** A source of numbers in [0, 1), for the sample; default `Math.random`. */
  readonly random?: (() => number) | undefined
}

/**
 * What each of the options may be: what a listener throws is dropped, so one that cannot be would never be heard of.
 */
export const LISTENER_KINDS: Kinds<ListenerOptions> = {
  log: LOG_OUTPUT,
  clock: CLOCK,
  onSample: FUNCTION,
  random: FUNCTION,
}
