import type { Limit, Outcome } from "./compare.ts"
import type { Arrival } from "./traffic.ts"

/** Traffic in a drawing: what came, and what became of it. */
export interface Scene {
  readonly title: string
  readonly arrivals: readonly Arrival[]
  readonly outcomes: readonly Outcome[]
  readonly limit: Limit
}

const SHADES = " ▁▂▃▄▅▆▇█"

/** Counts arrivals in columns of equal time. */
function columnsOf(arrivals: readonly Arrival[], count: number, counts: (index: number) => boolean): number[] {
  const startMs = arrivals[0]?.atMs ?? 0
  const spanMs = (arrivals.at(-1)?.atMs ?? 0) - startMs + 1
  const columns: number[] = Array(count).fill(0)
  for (const [index, { atMs }] of arrivals.entries()) {
    if (counts(index)) columns[Math.floor(((atMs - startMs) * count) / spanMs)]! += 1
  }
  return columns
}

/** For a terminal: a row for what came and one for each algorithm, as high as so many were admitted. */
export function drawText({ title, arrivals, outcomes, limit }: Scene, width = 72): string {
  const all = columnsOf(arrivals, width, () => true)
  const most = Math.max(1, ...all)
  const bar = (columns: readonly number[]) =>
    columns.map((count) => SHADES[Math.ceil((count * (SHADES.length - 1)) / most)]).join("")
  const name = (text: string) => text.padEnd(19)
  const rows = outcomes.map(({ algorithm, admitted, admittedCount, mostInAPeriod }) => {
    const columns = columnsOf(arrivals, width, (index) => admitted[index]!)
    return `${name(algorithm)}${bar(columns)} ${String(admittedCount).padStart(6)} ${String(mostInAPeriod).padStart(6)}`
  })
  return [
    `${title}: ${limit.limit} per ${limit.periodMs / 1_000} s and client`,
    `${name("")}${" ".repeat(width)} passed   peak`,
    `${name("what came")}${bar(all)} ${String(arrivals.length).padStart(6)}`,
    ...rows,
    "peak: the most that one client passed in any span of one period",
  ].join("\n")
}

const ROW = 44
const LEFT = 170
const RIGHT = 150
const WIDTH = 1_100

/** As SVG: a line for each request, green where it was admitted, red and short where it was denied. */
export function drawSvg({ title, arrivals, outcomes, limit }: Scene): string {
  const startMs = arrivals[0]?.atMs ?? 0
  const spanMs = (arrivals.at(-1)?.atMs ?? 0) - startMs + 1
  const x = (atMs: number) => (LEFT + ((atMs - startMs) * (WIDTH - LEFT - RIGHT)) / spanMs).toFixed(1)
  const height = 70 + outcomes.length * ROW
  const rows = outcomes.map(({ algorithm, admitted, admittedCount, mostInAPeriod }, row) => {
    const base = 60 + (row + 1) * ROW - 12
    const path = (isAdmitted: boolean, length: number) =>
      arrivals
        .filter((_, index) => admitted[index] === isAdmitted)
        .map(({ atMs }) => `M${x(atMs)} ${base}v-${length}`)
        .join("")
    return [
      `<text x="12" y="${base - 6}">${algorithm}</text>`,
      `<path d="M${LEFT} ${base}H${WIDTH - RIGHT}" stroke="#ccc"/>`,
      `<path d="${path(false, 10)}" stroke="#d33"/>`,
      `<path d="${path(true, 26)}" stroke="#293"/>`,
      `<text x="${WIDTH - RIGHT + 12}" y="${base - 6}">${admittedCount} passed, peak ${mostInAPeriod}</text>`,
    ].join("\n")
  })
  const heading = `${title}: ${arrivals.length} requests, ${limit.limit} per ${limit.periodMs / 1_000} s and client`
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif" font-size="13">`,
    `<title>${escaped(heading)}</title>`,
    `<rect width="${WIDTH}" height="${height}" fill="#fff"/>`,
    `<text x="12" y="24" font-size="16">${escaped(heading)}</text>`,
    '<text x="12" y="44" fill="#666">green: admitted, red: denied; peak: the most of one client in any period</text>',
    ...rows,
    "</svg>",
    "",
  ].join("\n")
}

function escaped(text: string): string {
  return text.replace(/[<>&"']/g, (character) => `&#${character.charCodeAt(0)};`)
}
