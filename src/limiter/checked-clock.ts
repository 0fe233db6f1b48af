import { timeError } from "../engine/outcome-error.js"
import { type Clock, systemClock, turnClock } from "../types/clock.js"

/**
 * A clock that tells numbers: of `null`, or of an empty text, WebAssembly would make the year 1970. Each reading of a
 * caller's clock is looked at; the machine's own, which most read, costs nothing more.
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
