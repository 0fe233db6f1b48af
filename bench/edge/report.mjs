import { ratioByRound, summarize } from "../lib/statistics.mjs"
import { digits, table, whole } from "../lib/table.mjs"
import { CONNECTIONS, goalOf, RATIO_GOALS, ROW_GOALS, WORKLOADS } from "./workloads.mjs"

/** What each of sluice's contenders is compared with, most telling first. */
const COMPARED = /** @type {const} */ ([
  ["sluice", ["insert", "memory", "plain"]],
  ["sluice-denied", ["plain"]],
])
// Above this share of one core the load generator, not the server, may have set the figure.
const BUSY = 0.9

const cells = WORKLOADS.flatMap((workload) => CONNECTIONS.map((connections) => ({ workload, connections })))

function samplesOf(samples, contender, { workload, connections }) {
  return samples.filter(
    (sample) =>
      sample.contender === contender && sample.workload === workload.name && sample.connections === connections,
  )
}

/**
 * Medians and ranges over the rounds.
 *
 * @param {readonly import("./measure.mjs").Sample[]} samples
 * @param {readonly import("./contenders.mjs").Contender[]} contenders those that ran
 */
export function summarizeSamples(samples, contenders) {
  return cells.flatMap((cell) =>
    contenders.flatMap(({ name }) => {
      const own = samplesOf(samples, name, cell)
      if (own.length === 0) return []
      const over = (read) => summarize(own.map(read))
      return {
        workload: cell.workload.name,
        connections: cell.connections,
        contender: name,
        requestsPerSecond: over(({ load }) => load.requestsPerSecond),
        p50Ms: over(({ load }) => load.p50Ms),
        p99Ms: over(({ load }) => load.p99Ms),
        generatorBusy: over(({ load }) => load.generatorBusy),
        rowsPerCheck: own.every(({ rows }) => rows !== null) ? over(({ rows }) => rows.rowsPerCheck) : null,
      }
    }),
  )
}

/** Ratios of requests/s, taken round by round, then their medians and ranges. */
export function ratios(samples) {
  return cells.flatMap((cell) =>
    COMPARED.flatMap(([of, others]) =>
      others.flatMap((to) => {
        const rates = (name) => samplesOf(samples, name, cell).map(({ load }) => load.requestsPerSecond)
        const [own, other] = [rates(of), rates(to)]
        if (own.length === 0 || other.length === 0) return []
        const place = { of, to, workload: cell.workload.name, connections: cell.connections }
        return { ...place, ...summarize(ratioByRound(own, other)), goal: goalOf(RATIO_GOALS, place)?.atLeast ?? null }
      }),
    ),
  )
}

const span = ({ minimum, maximum }, show) => `${show(minimum)}–${show(maximum)}`
const title = ({ workload, connections }) =>
  `${workload.label}, ${connections} ${connections === 1 ? "connection" : "connections"}`

function speedTables(summaries, contenders, skipped) {
  const head = ["", "requests/s", "range", "p50 ms", "range", "p99 ms", "range", "generator busy"]
  return cells.map((cell) => {
    const rows = contenders.map((contender) => {
      if (skipped.has(contender.name)) return [contender.label, skipped.get(contender.name)]
      const found = summaries.find(
        (summary) =>
          summary.contender === contender.name &&
          summary.workload === cell.workload.name &&
          summary.connections === cell.connections,
      )
      const busy = found.generatorBusy.median
      return [
        contender.label,
        whole(found.requestsPerSecond.median),
        span(found.requestsPerSecond, whole),
        digits(found.p50Ms.median),
        span(found.p50Ms, digits),
        digits(found.p99Ms.median),
        span(found.p99Ms, digits),
        `${whole(busy * 100)} %${busy > BUSY ? " !" : ""}`,
      ]
    })
    return `${title(cell)}\n\n${table(head, rows)}`
  })
}

function ratioTable(found, labels) {
  const head = ["requests/s, ratio by round", ...cells.map((cell) => `${cell.workload.label} × ${cell.connections}`)]
  const rows = COMPARED.flatMap(([of, others]) =>
    others.flatMap((to) => {
      const own = found.filter((ratio) => ratio.of === of && ratio.to === to)
      if (own.length === 0) return []
      const shown = cells.map((cell) => {
        const { median, goal, ...range } = own.find(
          (ratio) => ratio.workload === cell.workload.name && ratio.connections === cell.connections,
        )
        const verdict = goal === null ? "" : `, ${median >= goal ? "reaches" : "MISSES"} ${goal}`
        return `${digits(median)} (${span(range, digits)}${verdict})`
      })
      return [[`${labels.get(of)} / ${labels.get(to).slice(0, 3)}`, ...shown]]
    }),
  )
  return rows.length === 0 ? "Ratios: none, sluice did not run beside another contender." : table(head, rows)
}

function rowsTable(summaries, labels) {
  const told = summaries.filter(({ rowsPerCheck }) => rowsPerCheck !== null)
  if (told.length === 0) return "Rows written: none reported."
  const rows = [...new Set(told.map(({ contender }) => contender))].map((of) => [
    labels.get(of),
    ...cells.map(({ workload, connections }) => {
      const place = { of, workload: workload.name, connections }
      const { rowsPerCheck } = told.find(
        (summary) =>
          summary.contender === of && summary.workload === place.workload && summary.connections === connections,
      )
      const goal = goalOf(ROW_GOALS, place)
      const verdict =
        goal === undefined ? "" : `, ${rowsPerCheck.maximum <= goal.atMost ? "within" : "ABOVE"} ${goal.atMost}`
      return `${rowsPerCheck.median.toFixed(4)} (most ${rowsPerCheck.maximum.toFixed(4)}${verdict})`
    }),
  ])
  return table(["rows written per check", ...cells.map((cell) => `${cell.workload.label} × ${cell.connections}`)], rows)
}

/** The whole report as text. */
export function reportText({ summaries, found, contenders, skipped, facts }) {
  const labels = new Map(contenders.map(({ name, label }) => [name, label]))
  return [
    facts.join("\n"),
    ...speedTables(summaries, contenders, skipped),
    ratioTable(found, labels),
    rowsTable(summaries, labels),
  ].join("\n\n")
}
