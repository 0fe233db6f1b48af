import { get } from "./api.js"
import { h, number, shown, table } from "./dom.js"
import { editLimit } from "./edit.js"
import { parsePolicy } from "./policies.js"
import { policyText } from "./policy-text.js"

/** As many as the API tells at once. */
const MOST_LOADED = 1_000
/** How many rows are added at a time. */
const ROWS = 50

const COLUMNS = [
  { title: "Name", kind: "key" },
  { title: "Policy", kind: "policy" },
  { title: "Used under its own name" },
  { title: "" },
]

/** What is used of the rule that has the least left, by share of the most that it can have. */
function usage({ rules: states, definition }) {
  const each = parsePolicy(definition).rules.map(({ name, capacity: most }) => {
    const { remaining } = states.find(({ policy }) => policy === name) ?? { remaining: most }
    return { name, most, used: Math.max(0, most - remaining) }
  })
  const { name, most, used } = each.reduce((a, b) => (b.used / b.most > a.used / a.most ? b : a))
  const label = `${number(used)} of ${number(most)} used${each.length === 1 ? "" : ` (${shown(name, 60)})`}`
  return h(
    "span",
    {},
    h("meter", { min: 0, max: most, value: used, high: most * 0.8, low: most * 0.5, optimum: 0, "aria-label": label }),
    ` ${label}`,
  )
}

/** Whether a limit's name has a text in it, as it is or as it is shown. */
function hasInName({ key }, text) {
  const wanted = text.toLowerCase()
  return [key, shown(key, 512)].some((name) => name.toLowerCase().includes(wanted))
}

/** The limits, to be edited. What is filtered and how many are shown is kept in the place, for whoever comes back to it. */
export function limitsView({ main, place, go, load, act }) {
  let statuses = []
  let isOver = false
  const filter = h("input", {
    type: "search",
    value: place.filter ?? "",
    autocomplete: "off",
    spellcheck: "false",
    oninput() {
      place.filter = filter.value
      place.rows = ROWS
      showRows()
    },
  })
  const count = h("p", { class: "faint", role: "status" })
  const list = h("div", {})
  const button = (properties, text) => h("button", { type: "button", ...properties }, text)
  const edit = (status) => editLimit({ act, onDone: refresh }, status)
  const section = h(
    "section",
    {},
    h(
      "div",
      { class: "actions" },
      h("label", {}, "Filter by name", filter),
      button({ class: "primary", onclick: () => edit() }, "New limit"),
      button({ onclick: refresh }, "Refresh"),
    ),
    count,
    list,
  )

  function row(status) {
    const open = () => {
      place.focused = `key ${status.key}`
      go({ view: "key", key: status.key, limit: status.limit })
    }
    const name = { class: "link cut", title: shown(status.key, 512), "data-of": `key ${status.key}`, onclick: open }
    const label = `Edit ${shown(status.key, 60)}`
    return [
      button(name, shown(status.key)),
      shown(policyText(status), 1_000),
      usage(status),
      button({ "aria-label": label, "data-of": `edit ${status.key}`, onclick: () => edit(status) }, "Edit"),
    ]
  }

  /** Gives the focus to a button of the list that was made anew, or to the list where it has none such any more. */
  function focusOn(of) {
    const again = [...list.querySelectorAll("button")].find((each) => each.dataset.of === of)
    const next = again ?? list.querySelector(".scroll")
    next.focus({ preventScroll: true })
  }

  function showRows() {
    const focused = list.contains(document.activeElement) ? (document.activeElement.dataset.of ?? "") : null
    const found = statuses.filter((status) => hasInName(status, filter.value))
    const rows = found.slice(0, place.rows ?? ROWS)
    const showMore = () => {
      place.rows = rows.length + ROWS
      showRows()
      focusOn(`key ${found[rows.length].key}`)
    }
    const left = found.length - rows.length
    const empty = statuses.length === 0 ? "No limit is defined." : "No limit has this in its name."
    const loaded = statuses.length < MOST_LOADED ? "" : "the first by name, "
    const isPart = rows.length < statuses.length || loaded !== ""
    count.textContent = isPart ? `${number(rows.length)} of ${loaded}${number(statuses.length)} are shown.` : ""
    list.replaceChildren(
      table("Limits", COLUMNS, rows.map(row), empty),
      ...(left > 0
        ? [h("div", { class: "actions" }, button({ onclick: showMore }, `Show more (${number(left)})`))]
        : []),
    )
    if (focused !== null) focusOn(focused)
  }

  function take(told) {
    if (isOver || told === undefined) return
    statuses = told
    showRows()
  }

  async function refresh() {
    take(await act(() => get("/v1/limits")))
  }

  async function start() {
    const told = await load(() => get("/v1/limits"))
    if (isOver || told === undefined) return
    main.append(section)
    take(told)
    if (place.focused !== undefined) focusOn(place.focused)
    place.focused = undefined
    if (place.scrollY !== undefined) scrollTo(0, place.scrollY)
  }

  start()
  return () => {
    isOver = true
  }
}
