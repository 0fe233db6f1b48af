/** A time as `2026-11-21 12:00:00.000`, in UTC; a dash where there is none. */
export function formatTime(ms: number | null): string {
  return ms === null ? "-" : new Date(ms).toISOString().replace("T", " ").replace("Z", "")
}

/** A number with its thousands set apart. */
export function formatNumber(value: number): string {
  return value.toLocaleString("en-US")
}

/** How many of something, as `1 unit` and `2 units`. */
export function formatCount(value: number, noun: string): string {
  return `${formatNumber(value)} ${noun}${value === 1 ? "" : "s"}`
}
