/** A time as `2026-11-21 12:00:00.000`, in UTC; a dash where there is none. */
export function formatTime(ms: number | null): string {
  return ms === null ? "-" : new Date(ms).toISOString().replace("T", " ").replace("Z", "")
}

const UNITS = [
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["m", 60_000],
  ["s", 1_000],
] as const

/** A time span in its two largest units, as `1h 5m`; below a second in ms. Rounded up: who waits so long waited enough. */
export function formatSpan(ms: number): string {
  const first = UNITS.findIndex(([, unitMs]) => ms >= unitMs)
  if (first < 0) return `${ms}ms`
  const [unit, unitMs] = UNITS[first]!
  const [restUnit, restMs] = UNITS[first + 1] ?? [unit, unitMs]
  const roundedMs = Math.ceil(ms / restMs) * restMs
  // It may be a larger unit's by now.
  if (roundedMs > ms) return formatSpan(roundedMs)
  const below = (ms % unitMs) / restMs
  return `${Math.floor(ms / unitMs)}${unit}${below === 0 ? "" : ` ${below}${restUnit}`}`
}

/** A number with its thousands set apart. */
export function formatNumber(value: number): string {
  return value.toLocaleString("en-US")
}

/** How many of something, as `1 unit` and `2 units`. */
export function formatCount(value: number, noun: string): string {
  return `${formatNumber(value)} ${noun}${value === 1 ? "" : "s"}`
}
