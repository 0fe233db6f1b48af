const UNITS = [
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["m", 60_000],
  ["s", 1_000],
] as const

/**
 * A time span in its two largest units, as `1h 5m`; below a second in ms. Rounded up: who waits so long waited enough.
 *
 * @param space between a number and its unit
 */
export function formatSpan(ms: number, space = ""): string {
  const first = UNITS.findIndex(([, unitMs]) => ms >= unitMs)
  if (first < 0) return `${ms}${space}ms`
  const [unit, unitMs] = UNITS[first]!
  const [restUnit, restMs] = UNITS[first + 1] ?? [unit, unitMs]
  const roundedMs = Math.ceil(ms / restMs) * restMs
  // It may be a larger unit's by now.
  if (roundedMs > ms) return formatSpan(roundedMs, space)
  const below = (ms % unitMs) / restMs
  return `${Math.floor(ms / unitMs)}${space}${unit}${below === 0 ? "" : ` ${below}${space}${restUnit}`}`
}
