import { get, post } from "./api.js"
import { h, number, shown, span, table } from "./dom.js"

/** As many as the API tells at once. */
const MOST_SHOWN = 1_000

const ALGORITHMS = ["gcra", "token_bucket", "leaky_bucket", "fixed_window", "sliding_window", "sliding_window_log"]

const rateOf = ({ rules }) =>
  rules.map(({ limit, per_millis }) => `${number(limit)} per ${span(per_millis)}`).join(" and ")

/** Asks for a limit's name and policy, and defines it. */
function editor({ tell, onDone }, status) {
  const [rule] = status === undefined ? [] : JSON.parse(status.definition)
  const isSimple = status === undefined || JSON.parse(status.definition).length === 1
  const fields = {
    name: h("input", { required: true, maxlength: 512, value: status?.key ?? "", readonly: status !== undefined }),
    limit: h("input", { type: "number", min: 1, max: 2 ** 31, required: true, value: rule?.limit ?? 100 }),
    period: h("input", { required: true, value: rule === undefined ? "1m" : `${rule.period}ms` }),
    burst: h("input", { type: "number", min: 1, max: 2 ** 31, value: rule?.burst ?? "" }),
    algorithm: h("select", {}, ...ALGORITHMS.map((name) => h("option", { selected: name === rule?.algorithm }, name))),
    policy: h("input", { required: true, value: status?.definition ?? "" }),
  }
  const dialog = h("dialog", {
    "aria-label": status === undefined ? "New limit" : "Edit limit",
    onclose: () => dialog.remove(),
  })
  const rows = isSimple
    ? [
        h("label", {}, "Units", fields.limit),
        h("label", {}, "Per (such as 10s, 1m, 1h)", fields.period),
        h("label", {}, "Burst (empty: as many as the units)", fields.burst),
        h("label", {}, "Algorithm", fields.algorithm),
      ]
    : [h("label", {}, "Rules", fields.policy)]
  async function save() {
    const parts = isSimple
      ? {
          ...rule,
          limit: Number(fields.limit.value),
          period: fields.period.value,
          algorithm: fields.algorithm.value,
          burst: fields.burst.value === "" ? undefined : Number(fields.burst.value),
        }
      : null
    if (parts !== null && status === undefined) parts.name = fields.name.value
    const policy = parts === null ? fields.policy.value : [parts]
    // A limit that is there keeps its rules' names; a new one's rules bear its own.
    // A field drops line breaks, so what it shows is not always the name.
    await post("/v1/limits", { key: status?.key ?? fields.name.value, policy })
  }
  // What lies behind a dialog is neither bright nor read out.
  const problem = h("p", { class: "denied", role: "alert" })
  dialog.append(
    h("h2", {}, status === undefined ? "New limit" : `Edit ${shown(status.key, 60)}`),
    h(
      "form",
      {
        method: "dialog",
        async onsubmit(event) {
          event.preventDefault()
          problem.textContent = ""
          try {
            await save()
          } catch (error) {
            problem.textContent = error.message
            return
          }
          dialog.close()
          tell("Saved. What was used stays used.")
          onDone()
        },
      },
      h("label", {}, "Name", fields.name),
      ...rows,
      problem,
      h(
        "div",
        { class: "actions" },
        h("button", { class: "primary" }, "Save"),
        h("button", { type: "button", onclick: () => dialog.close() }, "Cancel"),
      ),
    ),
  )
  document.body.append(dialog)
  dialog.showModal()
}

function usage({ rate, remaining, rules }) {
  const most = Math.min(...rules.map(({ limit }) => limit))
  const used = Math.max(0, most - remaining)
  const label = `${number(used)} of ${number(rate)} used`
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

  async function load() {
    const statuses = await act(() => get("/v1/limits"))
    if (isOver || statuses === undefined) return
    const rows = statuses.map((status) => [
      h(
        "button",
        { type: "button", class: "link", onclick: () => go({ view: "key", key: status.key, limit: status.limit }) },
        shown(status.key),
      ),
      rateOf(status),
      [...new Set(status.rules.map(({ algorithm }) => algorithm))].join(", "),
      usage(status),
      h(
        "button",
        {
          type: "button",
          "aria-label": `Edit ${shown(status.key, 60)}`,
          onclick: () => editor({ tell, onDone: load }, status),
        },
        "Edit",
      ),
    ])
    list.replaceChildren(
      table(
        "Limits",
        [
          { title: "Name", kind: "key" },
          { title: "Rate" },
          { title: "Algorithm", kind: "optional" },
          { title: "Used under its own name" },
          { title: "" },
        ],
        rows,
        "No limit is defined.",
      ),
      ...(statuses.length < MOST_SHOWN ? [] : [h("p", {}, `Only the first ${number(MOST_SHOWN)} by name are shown.`)]),
      h(
        "div",
        { class: "actions" },
        h("button", { type: "button", class: "primary", onclick: () => editor({ tell, onDone: load }) }, "New limit"),
        h("button", { type: "button", onclick: load }, "Refresh"),
      ),
    )
  }

  load()
  return () => {
    isOver = true
  }
}
