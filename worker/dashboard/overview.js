import { get } from "./api.js"
import { deniedMost } from "./denied-most.js"
import { h, number, write } from "./dom.js"
import { RateMeter, WORKER_STORAGE } from "./rates.js"
import uPlot from "./uplot.js"

/** What the chart shows, in seconds. */
const SPAN = 180
const EVERY_MS = 1_000
const TOP_EVERY = 3
const RATES = "Allowed and denied checks per second"
const FAILING = "The store does not decide checks: they fail, or fail modes decide them."

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim()

const FONT = "12px system-ui, sans-serif"
/** Between two times, px. */
const TIME_GAP = 12
/** What may lie between two times, in seconds. */
const TIME_STEPS = [5, 10, 15, 30, 60, 120]
/** Hours before and after noon whose times are as long as any. */
const LONG_HOURS = [10, 22]

/** Room for a time in the reader's own way, px. */
function timeWidth(timeStyle) {
  const context = document.createElement("canvas").getContext("2d")
  context.font = FONT
  const times = LONG_HOURS.map((hour) => new Date(2026, 0, 1, hour).toLocaleTimeString([], { timeStyle }))
  return Math.max(...times.map((time) => context.measureText(time).width)) + TIME_GAP
}

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
  const widths = { short: timeWidth("short"), medium: timeWidth("medium") }
  // Where a minute has less room than seconds take, its label has none.
  const space = (_, __, ___, ____, width) => {
    return Math.max(widths.short, Math.min(widths.medium, (width * 60) / SPAN))
  }
  const axis = { font: FONT, stroke: () => colour("--faint"), grid: { stroke: () => colour("--line"), width: 1 } }
  const chart = new uPlot(
    {
      width: place.clientWidth,
      height: 240,
      // Half of a time stands beyond the right edge.
      padding: [null, widths.medium / 2, null, null],
      scales: {
        // Whole from the start: made to fit the first points, it would show years.
        // What the chart itself takes for the last time of a single point lies years later.
        x: { range: ({ data: [times] }) => [-SPAN, 0].map((ago) => ago + (times.at(-1) ?? Date.now() / 1000)) },
        y: { range: (_, __, most) => [0, Math.max(1, most * 1.1)] },
      },
      axes: [
        { ...axis, values: timeLabels, incrs: TIME_STEPS, space },
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
  const meter = new RateMeter(askHealth)
  let isAway = false
  let looks = 0
  let isOver = false
  let isLooking = false

  /**
   * Asks once more, unless the answers to the last time are still out: one that came late would set the counts back.
   */
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
    const rates = await meter.look({ ...totals, atMs })
    if (isOver) return
    // What is older than what is shown is not gone back to.
    if (rates !== "stale") showTotals(totals)
    if (rates === "set back") forgetSince(atMs)
    else if (typeof rates === "object") showRates(rates, atMs)
    else if (rates === "first") isAway = false
    if (!isAway) write(state, failing.textContent === "" ? "live" : "failing")
    if (looks++ % TOP_EVERY === 0) await Promise.all([lookAtTop(), lookAtStart()])
  }

  /** What the server tells of itself; `null` where it does not answer. */
  async function askHealth() {
    const health = await ask("/v1/health")
    return health === undefined ? null : { storage: health.storage, startedAtMs: Date.parse(health.started_at) }
  }

  /** Nobody knows the rates, until somebody answers again: the chart has a gap there. */
  function showAway() {
    isAway = true
    write(state, "no answer")
    for (const name of ["allowedRate", "deniedRate", "failureRate"]) tiles[name].textContent = "–"
    place.setAttribute("aria-label", RATES)
    write(failing, "")
  }

  function showTotals(totals) {
    tiles.allowed.textContent = number(totals.allowed)
    tiles.denied.textContent = number(totals.denied)
  }

  /** Drops what the chart has from times that come again, now that the server's clock went back. */
  function forgetSince(atMs) {
    while (data[0].at(-1) >= atMs / 1000) for (const column of data) column.pop()
    chart.setData(data)
  }

  function showRates(rates, atMs) {
    const at = atMs / 1000
    if (isAway && data[0].length > 0) push(data[0].at(-1) + 0.001, null, null)
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
    const when = health.storage === WORKER_STORAGE ? "in all" : `since ${start(health.started_at)}`
    for (const [index, verb] of ["allowed", "denied"].entries()) since[index].textContent = `${verb} ${when}`
  }

  async function lookAtTop() {
    const path = "/v1/top?by=denied&limit=10"
    const entries = await act(() => get(path).catch(noneWithoutNames), { what: path })
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
