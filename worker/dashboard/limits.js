import { get } from "./api.js"
import { h, number, shown, table } from "./dom.js"
import { editLimit } from "./edit.js"
import { parsePolicy } from "./policies.js"
import { policyText } from "./policy-text.js"

/** As many as the API tells at once. */
const MOST_SHOWN = 1_000

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

/** The limits, to be edited. */
export function limitsView({ main, go, act, tell }) {
  const list = h("section", {})
  main.append(list)
  let isOver = false

  function row(status) {
    return [
      h(
        "button",
        {
          type: "button",
          class: "link cut",
          title: shown(status.key, 512),
          onclick: () => go({ view: "key", key: status.key, limit: status.limit }),
        },
        shown(status.key),
      ),
      shown(policyText(status), 1_000),
      usage(status),
      h(
        "button",
        {
          type: "button",
          "aria-label": `Edit ${shown(status.key, 60)}`,
          onclick: () => editLimit({ tell, onDone: load }, status),
        },
        "Edit",
      ),
    ]
  }

  async function load() {
    const statuses = await act(() => get("/v1/limits"))
    if (isOver || statuses === undefined) return
    list.replaceChildren(
      table(
        "Limits",
        [
          { title: "Name", kind: "key" },
          { title: "Policy", kind: "policy" },
          { title: "Used under its own name" },
          { title: "" },
        ],
        statuses.map(row),
        "No limit is defined.",
      ),
      ...(statuses.length < MOST_SHOWN ? [] : [h("p", {}, `Only the first ${number(MOST_SHOWN)} by name are shown.`)]),
      h(
        "div",
        { class: "actions" },
        h(
          "button",
          { type: "button", class: "primary", onclick: () => editLimit({ tell, onDone: load }) },
          "New limit",
        ),
        h("button", { type: "button", onclick: load }, "Refresh"),
      ),
    )
  }

  load()
  return () => {
    isOver = true
  }
}
