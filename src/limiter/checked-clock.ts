import { timeError } from "../engine/outcome-error.js"
import { type Clock, systemClock, turnClock } from "../types/clock.js"

/**
 * A clock whose readings are checked to be numbers: WebAssembly would take `null` or an empty text for the year 1970.
 * The machine's own clock, which most limiters read, is not checked and costs nothing more.
 */
export function checkedClock(clock: Clock): Clock {
  if (clock === systemClock || clock === turnClock) return clock
  return {
    now() {
      const nowMs = clock.now()
      if (typeof nowMs !== "number") throw timeError(nowMs)
      return nowMs
    },
  }
}
