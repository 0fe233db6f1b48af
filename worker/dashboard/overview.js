import { get } from "./api.js"
import { deniedMost } from "./denied-most.js"
import { h, number, write } from "./dom.js"
import uPlot from "./uplot.js"

/** What the chart shows, in seconds. */
const SPAN = 180
const EVERY_MS = 1_000
const TOP_EVERY = 3
/**
 * How much older than the one before an answer may be without the server's clock having gone back. Each isolate of a
 * Worker keeps its own counts for some seconds, and whichever answers tells when it made them.
 */
const MOST_OLDER_MS = 30_000

/** Where counts lie in objects of their own, they are not of this process and outlast it. */
const OUTLASTING = "durable objects"

const COUNTS = ["allowed", "denied", "failures"]

const RATES = "Allowed and denied checks per second"
const FAILING = "The store does not decide checks: they fail, or fail modes decide them."

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim()

/** Room for a time with its seconds, px. */
const TIME_WIDTH = 84

/** Times of the chart in the reader's own way, with seconds where two are closer than a minute. */
function timeLabels(_, times, __, ___, everySeconds) {
  const timeStyle = everySeconds < 60 ? "medium" : "short"
  return times.map((seconds) => new Date(seconds * 1000).toLocaleTimeString([], { timeStyle }))
}

/** The lines of allowed and denied checks per second. */
function makeChart(place, data) {
  // Where nothing is pointed at, the legend tells what came last.
  const value = (text) => (plot, told, index) => {
    const there = told ?? plot.data[index].at(-1)
    return there === undefined || there === null ? "" : text(there)
  }
  const rate = value(number)
  const axis = { stroke: () => colour("--faint"), grid: { stroke: () => colour("--line"), width: 1 } }
  const chart = new uPlot(
    {
      width: place.clientWidth,
      height: 240,
      // Half of a time stands beyond the right edge.
      padding: [null, TIME_WIDTH / 2, null, null],
      scales: {
        // Whole from the start: made to fit the first points, it would show years.
        // What the chart itself takes for the last time of a single point lies years later.
        x: { range: ({ data: [times] }) => [-SPAN, 0].map((ago) => ago + (times.at(-1) ?? Date.now() / 1000)) },
        y: { range: (_, __, most) => [0, Math.max(1, most * 1.1)] },
      },
      axes: [
        // Each minute has room, whose label has no seconds.
        { ...axis, values: timeLabels, space: (_, __, ___, ____, width) => Math.min(TIME_WIDTH, (width * 60) / SPAN) },
        { ...axis, size: 60, values: (_, values) => values.map((value) => value.toLocaleString("en-US")) },
      ],
      series: [
        { label: "time", value: value((seconds) => new Date(seconds * 1000).toLocaleTimeString()) },
        { label: "allowed/s", value: rate, stroke: () => colour("--allowed"), width: 2, points: { show: false } },
        {
          ...{ label: "denied/s", value: rate, stroke: () => colour("--denied"), width: 2, dash: [6, 4] },
          points: { show: false },
        },
      ],
    },
    data,
    place,
  )
  // What it tells, the label of the chart and the tiles tell too.
  place.querySelector(".u-legend").setAttribute("aria-hidden", "true")
  return chart
}

/** What a server tells that keeps no names of keys, which is no problem of it. */
function noneWithoutNames(error) {
  if (error.code === "NAMES_NOT_KEPT") return null
  throw error
}

/** A server that was started anew counts from 0 again: where one of its sums is lower, none goes on from before. */
function ratesBetween(before, after) {
  const seconds = (after.atMs - before.atMs) / 1000
  const isAnew = COUNTS.some((name) => after.totals[name] < before.totals[name])
  return Object.fromEntries(
    COUNTS.map((name) => [name, (after.totals[name] - (isAnew ? 0 : before.totals[name])) / seconds]),
  )
}

/** A time without its seconds, and without its day where that is today. */
function start(text) {
  const at = new Date(text)
  const isToday = at.toDateString() === new Date().toDateString()
  return at.toLocaleString([], { ...(!isToday && { dateStyle: "medium" }), timeStyle: "short" })
}

/** Live rates and the keys denied most. */
export function overviewView({ main, go, act, state }) {
  const ask = (path) => act(() => get(path), { what: path })
  const tiles = {}
  const since = [h("span"), h("span")]
  const tile = (name, title, kind) => {
    tiles[name] = h("strong", { class: kind }, "–")
    return h("div", { class: "tile" }, tiles[name], typeof title === "string" ? h("span", {}, title) : title)
  }
  const place = h("div", { class: "chart", role: "img", "aria-label": RATES })
  const tops = deniedMost({ go })
  const failing = h("p", { class: "denied", role: "alert" })
  // Of a store that never failed it says nothing.
  const failed = tile("failureRate", "failed per second", "denied")
  failed.hidden = true
  main.append(
    h(
      "section",
      { class: "tiles", "aria-label": "Rates" },
      tile("allowedRate", "allowed per second", "allowed"),
      tile("deniedRate", "denied per second", "denied"),
      failed,
      tile("allowed", since[0]),
      tile("denied", since[1]),
    ),
    h("section", {}, h("h2", {}, "Checks per second"), failing, place),
    tops.section,
  )
  const data = [[], [], []]
  const chart = makeChart(place, data)
  const resize = new ResizeObserver(() => chart.setSize({ width: place.clientWidth, height: 240 }))
  resize.observe(place)
  let before = null
  let isAway = false
  let looks = 0
  let isOver = false
  let isLooking = false

  /** Asks once more, unless the answers to the last time are still out: one that came late would set the counts back. */
  async function lookAgain() {
    if (document.hidden || isLooking) return
    isLooking = true
    try {
      await look()
    } finally {
      isLooking = false
    }
  }

  async function look() {
    const totals = await ask("/v1/totals")
    if (isOver) return
    if (totals === undefined) return showAway()
    const atMs = Date.parse(totals.at)
    if (!isOlder(atMs)) take(totals, atMs)
    write(state, failing.textContent === "" ? "live" : "failing")
    if (looks++ % TOP_EVERY === 0) await Promise.all([lookAtTop(), lookAtStart()])
  }

  /** Nobody knows the rates, until somebody answers again: the chart has a gap there. */
  function showAway() {
    isAway = true
    write(state, "no answer")
    for (const name of ["allowedRate", "deniedRate", "failureRate"]) tiles[name].textContent = "–"
    place.setAttribute("aria-label", RATES)
    write(failing, "")
  }

  /** Whether an answer tells of a time before what is shown, which is not to go back to it. */
  function isOlder(atMs) {
    return before !== null && atMs < before.atMs && atMs >= before.atMs - MOST_OLDER_MS
  }

  function take(totals, atMs) {
    if (before === null || atMs !== before.atMs) showRates(totals, atMs)
    before = { atMs, totals }
    tiles.allowed.textContent = number(totals.allowed)
    tiles.denied.textContent = number(totals.denied)
  }

  /** Shows what was counted since the look before. Where the server's clock went back, its times begin anew. */
  function showRates(totals, atMs) {
    if (before === null) return
    if (atMs < before.atMs) {
      for (const column of data) column.length = 0
      return chart.setData(data)
    }
    const rates = ratesBetween(before, { atMs, totals })
    const at = atMs / 1000
    if (isAway) push((before.atMs + 1) / 1000, null, null)
    isAway = false
    push(at, rates.allowed, rates.denied)
    while (data[0][0] < at - SPAN) for (const column of data) column.shift()
    chart.setData(data)
    if (chart.cursor.idx == null) chart.setLegend({ idx: null })
    tiles.allowedRate.textContent = number(rates.allowed)
    tiles.deniedRate.textContent = number(rates.denied)
    const told = `Allowed ${number(rates.allowed)} and denied ${number(rates.denied)} checks per second`
    place.setAttribute("aria-label", told)
    tiles.failureRate.textContent = number(rates.failures)
    if (rates.failures > 0) failed.hidden = false
    write(failing, rates.failures > 0 ? FAILING : "")
  }

  function push(...values) {
    for (const [index, value] of values.entries()) data[index].push(value)
  }

  /** Says since when the sums are: since the process began, unless they outlast it. */
  async function lookAtStart() {
    const health = await ask("/v1/health")
    if (isOver || health === undefined) return
    const when = health.storage === OUTLASTING ? "in all" : `since ${start(health.started_at)}`
    for (const [index, verb] of ["allowed", "denied"].entries()) since[index].textContent = `${verb} ${when}`
  }

  async function lookAtTop() {
    const path = "/v1/top?by=denied&limit=10"
    const entries = await act(() => get(path).catch(noneWithoutNames), undefined, undefined, path)
    if (!isOver && entries !== undefined) tops.update(entries)
  }

  const timer = setInterval(lookAgain, EVERY_MS)
  lookAgain()
  return () => {
    isOver = true
    clearInterval(timer)
    resize.disconnect()
    chart.destroy()
    state.textContent = ""
  }
}
