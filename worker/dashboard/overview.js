import { get } from "./api.js"
import { h, number, shown, table, time } from "./dom.js"
import uPlot from "./uplot.js"

/** What the chart shows, in seconds. */
const SPAN = 180
const EVERY_MS = 1_000
const TOP_EVERY = 3

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim()

/** The lines of allowed and denied checks per second. */
function makeChart(place, data) {
  const axis = { stroke: () => colour("--faint"), grid: { stroke: () => colour("--line"), width: 1 } }
  return new uPlot(
    {
      width: place.clientWidth,
      height: 240,
      scales: {
        // Whole from the start: made to fit the first points, it would show years.
        x: { range: (_, __, last) => [(last ?? Date.now() / 1000) - SPAN, last ?? Date.now() / 1000] },
        y: { range: (_, __, most) => [0, Math.max(1, most * 1.1)] },
      },
      axes: [axis, { ...axis, size: 60, values: (_, values) => values.map((value) => value.toLocaleString("en-US")) }],
      series: [
        { label: "time" },
        { label: "allowed/s", stroke: () => colour("--allowed"), width: 2, points: { show: false } },
        { label: "denied/s", stroke: () => colour("--denied"), width: 2, dash: [6, 4], points: { show: false } },
      ],
    },
    data,
    place,
  )
}

/** Live rates and the keys denied most. */
export function overviewView({ main, go, act, state }) {
  const tiles = {}
  const tile = (name, title, kind) => {
    tiles[name] = h("strong", { class: kind }, "–")
    return h("div", { class: "tile" }, tiles[name], h("span", {}, title))
  }
  const place = h("div", { class: "chart", role: "img", "aria-label": "Allowed and denied checks per second" })
  const tops = h("section", {})
  main.append(
    h(
      "section",
      { class: "tiles", "aria-label": "Rates" },
      tile("allowedRate", "allowed per second", "allowed"),
      tile("deniedRate", "denied per second", "denied"),
      tile("allowed", "allowed in all"),
      tile("denied", "denied in all"),
    ),
    h("section", {}, h("h2", {}, "Checks per second"), place),
    tops,
  )
  const data = [[], [], []]
  const chart = makeChart(place, data)
  const resize = new ResizeObserver(() => chart.setSize({ width: place.clientWidth, height: 240 }))
  resize.observe(place)
  let before = null
  let looks = 0
  let isOver = false

  async function look() {
    if (document.hidden) return
    const totals = await act(() => get("/v1/totals"))
    if (isOver) return
    state.textContent = totals === undefined ? "no answer" : "live"
    if (totals === undefined) return
    const atMs = Date.parse(totals.at)
    if (before !== null && atMs > before.atMs) {
      const seconds = (atMs - before.atMs) / 1000
      const rate = (name) => Math.max(0, totals[name] - before.totals[name]) / seconds
      const rates = { allowed: rate("allowed"), denied: rate("denied") }
      const at = atMs / 1000
      for (const [index, value] of [at, rates.allowed, rates.denied].entries()) data[index].push(value)
      while (data[0][0] < at - SPAN) for (const column of data) column.shift()
      chart.setData(data)
      tiles.allowedRate.textContent = number(rates.allowed)
      tiles.deniedRate.textContent = number(rates.denied)
      const told = `Allowed ${number(rates.allowed)} and denied ${number(rates.denied)} checks per second`
      place.setAttribute("aria-label", told)
    }
    before = { atMs, totals }
    tiles.allowed.textContent = number(totals.allowed)
    tiles.denied.textContent = number(totals.denied)
    if (looks++ % TOP_EVERY === 0) await lookAtTop()
  }

  async function lookAtTop() {
    const entries = await act(() => get("/v1/top?by=denied&limit=10"))
    if (isOver || entries === undefined || tops.contains(document.activeElement)) return
    const rows = entries.map((entry) => [
      h(
        "button",
        { type: "button", class: "link", onclick: () => go({ view: "key", key: entry.key, limit: entry.limit }) },
        shown(entry.key),
      ),
      shown(entry.limit, 60),
      number(entry.total_denied),
      number(entry.total_allowed),
      time(entry.last_denied_at),
    ])
    tops.replaceChildren(
      table(
        "Denied most",
        [
          { title: "Key", kind: "key" },
          { title: "Limit" },
          { title: "Denied", kind: "number" },
          { title: "Allowed", kind: "number" },
          { title: "Last denied", kind: "optional" },
        ],
        rows,
        "No key was denied.",
      ),
    )
  }

  const timer = setInterval(look, EVERY_MS)
  look()
  return () => {
    isOver = true
    clearInterval(timer)
    resize.disconnect()
    chart.destroy()
    state.textContent = ""
  }
}
