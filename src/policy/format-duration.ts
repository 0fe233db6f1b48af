import { UNIT_MS } from "./parse-duration.js"

/** Largest first. */
const UNITS = ["w", "d", "h", "m", "s"]

/**
 * A duration as `parseDuration` reads it back, exactly, in the largest unit that needs no fraction: `"1m"`, `"90s"`,
 * `"1500ms"`.
 *
 * @param durationMs whole milliseconds, at least 0
 */
export function formatDuration(durationMs: number): string {
  if (durationMs > 0) {
    for (const unit of UNITS) {
      const unitMs = UNIT_MS.get(unit)!
      if (durationMs % unitMs === 0) return `${durationMs / unitMs}${unit}`
    }
  }
  return `${durationMs}ms`
}
