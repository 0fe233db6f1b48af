const SECOND_MS = 1_000
/** Times with years of four digits, which all have the same form. */
const SHORT_YEARS_END_MS = 253_402_300_800_000

let secondMs = Number.NaN
let secondText = ""

/** A time as ISO 8601 in UTC. Those of one second differ in their last digits, so the rest is made once. */
export function isoTime(ms: number): string {
  if (!Number.isInteger(ms) || ms < 0 || ms >= SHORT_YEARS_END_MS) return new Date(ms).toISOString()
  const beyond = ms % SECOND_MS
  if (ms - beyond !== secondMs) {
    secondMs = ms - beyond
    secondText = new Date(secondMs).toISOString().slice(0, -4)
  }
  return `${secondText}${beyond < 10 ? "00" : beyond < 100 ? "0" : ""}${beyond}Z`
}
