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

/** A time span in its two largest units, rounded down, as `1h 5m`; below a second in ms. */
export function formatSpan(ms: number): string {
  const first = UNITS.findIndex(([, unitMs]) => ms >= unitMs)
  if (first < 0) return `${ms}ms`
  const [unit, unitMs] = UNITS[first]!
  const rest = UNITS[first + 1]
  const count = Math.floor(ms / unitMs)
  const below = rest === undefined ? 0 : Math.floor((ms % unitMs) / rest[1])
  return below === 0 ? `${count}${unit}` : `${count}${unit} ${below}${rest![0]}`
}

/** A number with its thousands set apart. */
export function formatNumber(value: number): string {
  return value.toLocaleString("en-US")
}

/** How many of something, as `1 unit` and `2 units`. */
export function formatCount(value: number, noun: string): string {
  return `${formatNumber(value)} ${noun}${value === 1 ? "" : "s"}`
}
