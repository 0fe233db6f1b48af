import { ALGORITHMS, type Algorithm, ManualClock, RateLimiter } from "sluice"
import type { Arrival } from "./traffic.ts"

/** What one algorithm made of the traffic. */
export interface Outcome {
  readonly algorithm: Algorithm
  /** Of each arrival, in their order, whether it was admitted. */
  readonly admitted: readonly boolean[]
  readonly admittedCount: number
  /** The most that one client was admitted in any span of one period. */
  readonly mostInAPeriod: number
}

export interface Limit {
  readonly limit: number
  readonly periodMs: number
}

/** Plays the same traffic to every algorithm, each with a count for every client. */
export function compare(arrivals: readonly Arrival[], { limit, periodMs }: Limit): Outcome[] {
  return ALGORITHMS.map((algorithm) => {
    const clock = new ManualClock()
    const limiter = new RateLimiter({ limit, period: periodMs, algorithm }, { clock })
    const admitted = arrivals.map(({ atMs, key }) => {
      clock.set(atMs)
      return limiter.allow(key)
    })
    const times = Map.groupBy(
      arrivals.filter((_, index) => admitted[index]),
      ({ key }) => key,
    )
    return {
      algorithm,
      admitted,
      admittedCount: admitted.filter(Boolean).length,
      mostInAPeriod: Math.max(0, ...[...times.values()].map((each) => mostWithin(each, periodMs))),
    }
  })
}

/** The most of some times in order that lie in any span of this length, its end not included. */
function mostWithin(times: readonly Arrival[], spanMs: number): number {
  let most = 0
  let first = 0
  for (const [last, { atMs }] of times.entries()) {
    while (times[first]!.atMs <= atMs - spanMs) first += 1
    most = Math.max(most, last - first + 1)
  }
  return most
}
