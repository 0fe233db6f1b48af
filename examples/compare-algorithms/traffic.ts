/** A request: when it came, from whom. */
export interface Arrival {
  /** Milliseconds since the Unix epoch. */
  readonly atMs: number
  readonly key: string
}

const START_MS = Date.UTC(2026, 0, 1)

/**
 * Two minutes of one client, made up to tell the algorithms apart: a steady stream, a burst in the middle of a minute, and
 * one on each side of its end.
 */
export function madeUpBursts(): Arrival[] {
  const times: number[] = []
  for (let ms = 0; ms < 120_000; ms += 3_000) times.push(ms)
  for (let index = 0; index < 15; index++) times.push(20_000 + index * 100)
  for (let index = 0; index < 20; index++) times.push(58_000 + index * 90)
  for (let index = 0; index < 20; index++) times.push(60_100 + index * 90)
  return times.sort((a, b) => a - b).map((ms) => ({ atMs: START_MS + ms, key: "client" }))
}

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
const LINE = /^(\S+) \S+ \S+ \[(\d{2})\/(\w{3})\/(\d{4}):(\d{2}):(\d{2}):(\d{2}) ([+-])(\d{2})(\d{2})\]/

/**
 * The requests of an access log in Apache's common or combined format, by address. Its times are whole seconds, so the
 * requests of one second are spread over it, in their order.
 *
 * @throws {Error} naming the first line that is none
 */
export function readAccessLog(text: string): Arrival[] {
  const arrivals = text.split("\n").flatMap((line, index) => {
    if (line.trim() === "") return []
    const match = LINE.exec(line)
    if (match === null) {
      throw new Error(`Cannot read line ${index + 1} of the access log: ${JSON.stringify(line.slice(0, 80))}.`)
    }
    const [, key, day, month, year, hour, minute, second, sign, zoneHours, zoneMinutes] = match
    const zoneMs = (Number(zoneHours) * 60 + Number(zoneMinutes)) * 60_000 * (sign === "-" ? -1 : 1)
    const local = Date.UTC(
      Number(year),
      MONTHS.indexOf(month!),
      Number(day),
      Number(hour),
      Number(minute),
      Number(second),
    )
    return [{ atMs: local - zoneMs, key: key! }]
  })
  arrivals.sort((a, b) => a.atMs - b.atMs)
  const perSecond = new Map<number, number>()
  for (const { atMs } of arrivals) perSecond.set(atMs, (perSecond.get(atMs) ?? 0) + 1)
  let before = Number.NaN
  let place = 0
  return arrivals.map(({ atMs, key }) => {
    place = atMs === before ? place + 1 : 0
    before = atMs
    return { atMs: atMs + Math.floor((place * 1_000) / perSecond.get(atMs)!), key }
  })
}

/** The client with the most requests. */
export function busiest(arrivals: readonly Arrival[]): string {
  const counts = new Map<string, number>()
  for (const { key } of arrivals) counts.set(key, (counts.get(key) ?? 0) + 1)
  return [...counts].reduce((most, each) => (each[1] > most[1] ? each : most))[0]
}
