import type { KeyStats } from "../types/limiter.js"

/** Statistics of a key that has none: four counts of 0, three times of −1, which is never. */
export const NO_STATS = Float64Array.of(0, 0, 0, 0, -1, -1, -1)

/** A key's statistics, of the seven numbers that the core keeps: assembly/stats.ts. */
export function keyStats(numbers: Float64Array): KeyStats {
  const timeAt = (index: number) => (numbers[index]! < 0 ? null : numbers[index]!)
  return {
    totalAllowed: numbers[0]!,
    totalDenied: numbers[1]!,
    totalAllowedCost: numbers[2]!,
    totalDeniedCost: numbers[3]!,
    lastAllowedAt: timeAt(4),
    lastDeniedAt: timeAt(5),
    lastResetAt: timeAt(6),
  }
}
