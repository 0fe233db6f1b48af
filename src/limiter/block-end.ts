import { MAX_TIME_MS } from "../engine/core-exports.js"
import { parseDurationArgument } from "../policy/parse-duration.js"
import type { Duration } from "../policy/policy.js"

/** When a block of a duration from now ends, ms since the epoch. @throws {RangeError} */
export function blockEndMs(duration: Duration, nowMs: number): number {
  return Math.min(nowMs + parseDurationArgument("block", "duration", duration), MAX_TIME_MS)
}
