/** `Sun, 06 Nov 1994 08:49:37 GMT`, and of old `Sunday, 06-Nov-94 08:49:37 GMT`. */
const DATE = /^\w+, (\d\d?)[ -](\w{3})[ -](\d\d(?:\d\d)?) (\d\d:\d\d:(?:[0-5]\d|60)) GMT$/
/** Of old too: `Sun Nov  6 08:49:37 1994`. */
const ASCTIME = /^(\w{3}) (\w{3}) {1,2}(\d\d?) (\d\d:\d\d:(?:[0-5]\d|60)) (\d{4})$/

/**
 * The time of an HTTP-date in any of its forms (RFC 9110, section 5.6.7), in ms since the epoch; `NaN` where a text is
 * none. `Date.parse` alone takes most texts with a number for a date, and one that names no zone for a local time.
 *
 * @param nowMs a year of two digits is the last such one that makes a time at most 50 years after this
 */
export function parseHttpDate(text: string, nowMs: number): number {
  const [, day, month, year = "", time = ""] = DATE.exec(text.replace(ASCTIME, "$1, $3 $2 $5 $4 GMT")) ?? []
  const inYear = (fullYear: number | string) => parseTime(`${day} ${month} ${fullYear}`, time)
  if (year.length !== 2) return inYear(year)
  const latest = new Date(nowMs)
  const latestYear = latest.getUTCFullYear() + 50
  const latestMs = latest.setUTCFullYear(latestYear)
  const fullYear = latestYear - ((latestYear - Number(year)) % 100)
  const atMs = inYear(fullYear)
  return atMs > latestMs ? inYear(fullYear - 100) : atMs
}

/** A leap second, which V8 takes for the minute's first second, is the first of the next minute. */
function parseTime(date: string, time: string): number {
  return Date.parse(`${date} ${time.replace(/60$/, "59")} GMT`) + (time.endsWith("60") ? 1_000 : 0)
}
