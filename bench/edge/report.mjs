import { ratioByRound, summarize } from "../lib/statistics.mjs"
import { digits, table, whole } from "../lib/table.mjs"
import { CALL_GOALS, CONNECTIONS, goalOf, RATIO_GOALS, ROW_GOALS, WORKLOADS } from "./workloads.mjs"

/** What each of sluice's contenders is compared with, most telling first. */
const COMPARED = /** @type {const} */ ([
  ["sluice", ["insert", "memory", "plain", "hono-store"]],
  ["sluice-ahead", ["insert", "hono-store"]],
  ["sluice-batch", ["insert", "hono-store"]],
  ["sluice-leased", ["insert", "sluice", "hono-store", "plain"]],
  ["sluice-sharded", ["insert", "hono-store"]],
  ["sluice-sharded-ahead", ["insert", "hono-store"]],
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
        callsPerCheck: own.every(({ rows }) => rows !== null) ? over(({ rows }) => rows.callsPerCheck) : null,
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

/** The cells that were measured; a run may be about one workload. */
const cellsIn = (found) =>
  found.length === 0
    ? cells
    : cells.filter(({ workload, connections }) =>
        found.some((each) => each.workload === workload.name && each.connections === connections),
      )

function speedTables(summaries, contenders, skipped) {
  const head = ["", "requests/s", "range", "p50 ms", "range", "p99 ms", "range", "generator busy"]
  return cellsIn(summaries).map((cell) => {
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
  const own = cellsIn(found)
  const head = ["requests/s, ratio by round", ...own.map((cell) => `${cell.workload.label} × ${cell.connections}`)]
  const rows = COMPARED.flatMap(([of, others]) =>
    others.flatMap((to) => {
      const ratios = found.filter((ratio) => ratio.of === of && ratio.to === to)
      if (ratios.length === 0) return []
      const shown = own.map((cell) => {
        const { median, goal, ...range } = ratios.find(
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

/** What a check costs in storage rows or in calls of objects. */
function perCheckTable(summaries, labels, { field, title, goals }) {
  const told = summaries.filter((summary) => summary[field] !== null)
  if (told.length === 0) return `${title}: none reported.`
  const rows = [...new Set(told.map(({ contender }) => contender))].map((of) => [
    labels.get(of),
    ...cellsIn(told).map(({ workload, connections }) => {
      const place = { of, workload: workload.name, connections }
      const found = told.find(
        (summary) =>
          summary.contender === of && summary.workload === place.workload && summary.connections === connections,
      )[field]
      const goal = goalOf(goals, place)
      const verdict = goal === undefined ? "" : `, ${found.maximum <= goal.atMost ? "within" : "ABOVE"} ${goal.atMost}`
      return `${found.median.toFixed(4)} (most ${found.maximum.toFixed(4)}${verdict})`
    }),
  ])
  return table([title, ...cellsIn(told).map((cell) => `${cell.workload.label} × ${cell.connections}`)], rows)
}

/** The whole report as text. */
export function reportText({ summaries, found, contenders, skipped, facts }) {
  const labels = new Map(contenders.map(({ name, label }) => [name, label]))
  return [
    facts.join("\n"),
    ...speedTables(summaries, contenders, skipped),
    ratioTable(found, labels),
    perCheckTable(summaries, labels, { field: "rowsPerCheck", title: "rows written per check", goals: ROW_GOALS }),
    perCheckTable(summaries, labels, {
      field: "callsPerCheck",
      title: "calls of objects per check",
      goals: CALL_GOALS,
    }),
  ].join("\n\n")
}
