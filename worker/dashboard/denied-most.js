import { h, number, shown, table, time, write } from "./dom.js"

const COLUMNS = [
  { title: "Key", kind: "key" },
  { title: "Limit" },
  { title: "Denied", kind: "number" },
  { title: "Allowed", kind: "number" },
  { title: "Last denied", kind: "optional" },
]

const NONE = "No key was denied."
const NAMES_NOT_KEPT = "The server keeps no names of keys (--no-names), so none is told here."

/** One key's row, which stays the same while its figures change. */
function makeRow({ key, limit }, go) {
  const open = () => go({ view: "key", key, limit })
  const figures = [h("td", { class: "number" }), h("td", { class: "number" }), h("td", { class: "optional" })]
  const row = h(
    "tr",
    {},
    h(
      "td",
      { class: "key" },
      h("button", { type: "button", class: "link cut", title: shown(key, 512), onclick: open }, shown(key)),
    ),
    h("td", {}, h("span", { class: "cut", title: shown(limit, 512) }, shown(limit))),
    ...figures,
  )
  function update({ total_denied, total_allowed, last_denied_at }) {
    const texts = [number(total_denied), number(total_allowed), time(last_denied_at)]
    for (const [index, text] of texts.entries()) write(figures[index], text)
  }
  return { row, update }
}

/**
 * Puts rows into a table's body in their order. The one that has the focus stays where it is, and the others are put
 * around it: taken out of the page, it would lose the focus.
 */
function place(body, rows) {
  const at = rows.findIndex((row) => row.contains(document.activeElement))
  if (at < 0) return body.replaceChildren(...rows)
  for (const row of [...body.children]) if (row !== rows[at]) row.remove()
  rows[at].before(...rows.slice(0, at))
  rows[at].after(...rows.slice(at + 1))
}

/** The table of the keys denied most, and how it is told the newest. */
export function deniedMost({ go }) {
  const section = h("section", {})
  const region = table("Denied most", COLUMNS, [], NONE)
  const body = region.querySelector("tbody")
  const [none] = body.children
  let known = new Map()

  /** @param {any[] | null} entries `null` where the server keeps no names of keys */
  function update(entries) {
    const before = known
    known = new Map()
    for (const entry of entries ?? []) {
      const name = JSON.stringify([entry.limit, entry.key])
      const row = before.get(name) ?? makeRow(entry, go)
      row.update(entry)
      known.set(name, row)
    }
    write(none.firstChild, entries === null ? NAMES_NOT_KEPT : NONE)
    const hadFocus = body.contains(document.activeElement)
    place(body, known.size === 0 ? [none] : [...known.values()].map(({ row }) => row))
    if (!section.hasChildNodes()) section.append(region)
    // Of a key that is denied most no more.
    if (hadFocus && !body.contains(document.activeElement)) region.focus({ preventScroll: true })
  }

  return { section, update }
}
