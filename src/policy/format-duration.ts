const UNITS = [
  ["w", 604_800_000],
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["m", 60_000],
  ["s", 1_000],
] as const

/**
 * A duration as `parseDuration` reads it back, exactly, in the largest unit that needs no fraction.
 *
 * @param durationMs whole milliseconds, at least 0
 * @example
 * ```ts
 * formatDuration(60_000) // "1m"
 * formatDuration(90_000) // "90s"
 * formatDuration(1_500) // "1500ms"
 * ```
 */
export function formatDuration(durationMs: number): string {
  if (durationMs > 0) {
    for (const [unit, unitMs] of UNITS) {
      if (durationMs % unitMs === 0) return `${durationMs / unitMs}${unit}`
    }
  }
  return `${durationMs}ms`
}
