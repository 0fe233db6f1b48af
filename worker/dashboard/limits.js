import { get, post } from "./api.js"
import { h, number, shown, table, unspelled } from "./dom.js"
import { editLimit, resumeEdit } from "./edit.js"
import { makeLatest } from "./latest.js"
import { parsePolicy } from "./policies.js"
import { policyText } from "./policy-text.js"

/** As many as the API tells at once. */
const MAX_LOADED = 1_000
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

/** The first limits by name, and the one beyond them that was looked up, if it is there. Names go in no address. */
async function ask(named) {
  const first = await get("/v1/limits")
  const isBeyond = named !== undefined && !first.some(({ key }) => key === named)
  return { first, beyond: isBeyond ? await lookUp([named]) : null }
}

/** The limit that has one of these names, or `null`. */
async function lookUp(names) {
  for (const key of names) {
    const status = await post("/v1/status", { key })
    if (status?.limit === key) return status
  }
  return null
}

/**
 * The limits, to be edited. What is filtered, how many are shown and which one was looked up is kept in the place, for
 * whoever comes back to it.
 */
export function limitsView({ main, place, go, load, act }) {
  const refreshing = makeLatest()
  const finding = makeLatest()
  let first = []
  let beyond = null
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
  const onDone = (name) => {
    place.named = name
    // The token may have been refused meanwhile: what the login form holds by then is not for a second refusal to wipe.
    if (!isOver) refresh()
  }
  const edit = (status) => editLimit({ act, onDone }, status)
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
    const editing = { "aria-label": label, "data-of": `edit ${status.key}`, onclick: () => edit(status) }
    return [
      button(name, shown(status.key)),
      shown(policyText(status), 1_000),
      usage(status),
      status.fixed ? h("span", { class: "faint" }, "by settings") : button(editing, "Edit"),
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
    const statuses = beyond === null ? first : [...first, beyond]
    const found = statuses.filter((status) => hasInName(status, filter.value))
    const rows = found.slice(0, place.rows ?? ROWS)
    const showMore = () => {
      place.rows = rows.length + ROWS
      showRows()
      focusOn(`key ${found[rows.length].key}`)
    }
    const left = found.length - rows.length
    const mayBeMore = first.length === MAX_LOADED
    const loaded = mayBeMore ? `the first ${number(first.length)} by name` : number(first.length)
    const none = mayBeMore ? `None of the first ${number(MAX_LOADED)} limits` : "No limit"
    const empty = first.length === 0 ? "No limit is defined." : `${none} has this in its name.`
    const shownFirst = rows.filter((status) => status !== beyond).length
    const isPart = shownFirst < first.length || mayBeMore
    count.textContent = isPart ? `${number(shownFirst)} of ${loaded} are shown.` : ""
    const names = [filter.value, unspelled(filter.value)]
    const isUnknown = filter.value !== "" && !statuses.some(({ key }) => names.includes(key))
    const actions = [
      left > 0 ? button({ onclick: showMore }, `Show more (${number(left)})`) : null,
      mayBeMore && isUnknown
        ? button({ onclick: () => find(names) }, `Find ${shown(filter.value, 60)} beyond them`)
        : null,
    ]
    list.replaceChildren(
      table("Limits", COLUMNS, rows.map(row), empty),
      ...(actions.some((each) => each !== null) ? [h("div", { class: "actions" }, ...actions)] : []),
    )
    if (focused !== null) focusOn(focused)
  }

  async function find(names) {
    const isLatest = finding()
    const done = (each) => (each === null ? "There is no limit of this name." : "")
    const status = await act(() => lookUp(names), { done, isLatest })
    if (isOver || !status) return
    beyond = status
    place.named = status.key
    showRows()
    focusOn(`edit ${status.key}`)
  }

  function take(told, named) {
    first = told.first
    // Another one may have been found meanwhile.
    if (named === place.named) beyond = told.beyond
    showRows()
  }

  async function refresh() {
    const isLatest = refreshing()
    const { named } = place
    const told = await act(() => ask(named), { isLatest })
    if (!isOver && told !== undefined) take(told, named)
  }

  async function start() {
    const { named } = place
    const told = await load(() => ask(named))
    if (isOver || told === undefined) return
    main.append(section)
    take(told, named)
    if (place.focused !== undefined) focusOn(place.focused)
    place.focused = undefined
    if (place.scrollY !== undefined) scrollTo(0, place.scrollY)
    resumeEdit({ onDone })
  }

  start()
  return () => {
    isOver = true
  }
}
