import { RateLimiter } from "../limiter/rate-limiter.js"
import type { Clock } from "../types/clock.js"
import { plainText } from "./plain-text.js"

/** A disk that is full fails every commit, and is not to be filled with lines about that. */
const LINES = "1/10s"

/**
 * Tells of commits that failed, the first at once and those that follow together, in one line at most every 10 s.
 *
 * @param write takes a line
 * @returns what hears of each failure, and of how many records that were told it may have lost
 */
export function tellFailures(
  write: (line: string) => void,
  clock?: Clock,
): (error: Error, lostRecords: number) => void {
  const lines = new RateLimiter(LINES, clock === undefined ? {} : { clock })
  let failures = 0
  let lost = 0
  return (error, lostRecords) => {
    failures += 1
    lost += lostRecords
    if (!lines.allow("line")) return
    const often = failures === 1 ? "" : ` ${failures} commits failed since the last such line.`
    const loss = lost === 0 ? "" : ` At most ${lost} records that were told are lost.`
    failures = 0
    lost = 0
    write(`${plainText(error.message)}${often}${loss}`)
  }
}
