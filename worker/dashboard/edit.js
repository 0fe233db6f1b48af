import { post } from "./api.js"
import { h, shown } from "./dom.js"
import {
  ALGORITHMS,
  BURST_ALGORITHMS,
  formatDuration,
  formatPolicy,
  parsePolicy,
  RULE_NAME,
  withNameIfFits,
} from "./policies.js"
import { nameForRules, policyText } from "./policy-text.js"

const ANCHORS = [
  ["epoch", "by the clock"],
  ["first", "with a key's first check"],
]

/** The algorithms that have what not all have. */
const HAVE = {
  burst: BURST_ALGORITHMS,
  refill: ["token_bucket"],
  anchor: ["fixed_window"],
  offset: ["fixed_window"],
}

const OF_FILE_ID = "of-file"
const OF_FILE =
  "The server's configuration file has this limit. What is saved here lasts until the server reads the file anew, as it does when it starts: change it there too."

/** The fields of one rule: all that its algorithm has, and nothing else. */
function ruleFields(policy) {
  const rule = policy?.rules[0]
  const units = (value, required = false) =>
    h("input", { type: "number", min: 1, max: 2 ** 31, value: value ?? "", required })
  const time = (ms, required = false) =>
    h("input", { value: ms > 0 ? formatDuration(ms) : "", autocomplete: "off", required })
  const choice = (options, chosen) =>
    h("select", {}, ...options.map(([value, title]) => h("option", { value, selected: value === chosen }, title)))
  const inputs = {
    limit: units(rule?.limit ?? 100, true),
    period: time(rule?.periodMs ?? 60_000, true),
    algorithm: choice(
      ALGORITHMS.map((name) => [name, name]),
      rule?.algorithm,
    ),
    burst: units(rule?.capacity === rule?.limit ? undefined : rule.capacity),
    amount: units(rule?.refill?.amount),
    every: time(rule?.refill?.everyMs),
    anchor: choice(ANCHORS, rule?.anchor),
    offset: time(rule?.offsetMs),
    block: time(policy?.blockMs),
  }
  const { limit, period, algorithm, burst, amount, every, anchor, offset, block } = inputs
  const labels = {
    limit: h("label", {}, "Units", limit),
    period: h("label", {}, "Per (such as 10s, 1m, 1h)", period),
    algorithm: h("label", {}, "Algorithm", algorithm),
    burst: h("label", {}, "Burst (empty: as many as the units)", burst),
    refill: h(
      "div",
      { class: "pair" },
      h("label", {}, "Refill in steps of (empty: steadily)", amount),
      h("label", {}, "A step every (such as 1s)", every),
    ),
    anchor: h("label", {}, "Windows start", anchor),
    offset: h("label", {}, "Windows later by (empty: not at all)", offset),
    block: h("label", {}, "Block after a denial for (empty: not at all)", block),
  }
  // By the clock alone can windows be later.
  const isThere = (field) =>
    (HAVE[field]?.includes(algorithm.value) ?? true) && (field !== "offset" || anchor.value === "epoch")
  const showFitting = () => {
    for (const [field, label] of Object.entries(labels)) {
      label.hidden = !isThere(field)
      // What is not shown must not keep the form from being sent.
      for (const input of label.querySelectorAll("input, select")) input.disabled = label.hidden
    }
  }
  for (const select of [algorithm, anchor]) select.addEventListener("change", showFitting)
  showFitting()
  /** A step is of both: neither says anything alone. */
  const requireBoth = () => {
    amount.required = every.required = isStepped()
  }
  for (const input of [amount, every]) input.addEventListener("input", requireBoth)

  const whole = ({ value }) => (value === "" ? undefined : Number(value))
  const text = ({ value }) => (value.trim() === "" ? undefined : value)
  const isStepped = () => whole(amount) !== undefined || text(every) !== undefined
  function read() {
    const said = {
      name: rule?.name,
      algorithm: algorithm.value,
      limit: whole(limit),
      period: text(period),
      burst: whole(burst),
      refill: isStepped() ? { amount: whole(amount), every: text(every) } : undefined,
      anchor: anchor.value === "epoch" ? undefined : anchor.value,
      offset: text(offset),
      block: text(block),
    }
    return Object.fromEntries(Object.entries(said).filter(([field]) => isThere(field)))
  }
  return { rows: Object.values(labels), first: limit, read: () => [read()] }
}

/** The rules as text: for several of them, or whoever likes that better. */
function ruleText(text) {
  const field = h("textarea", { required: true, rows: 3, spellcheck: "false" })
  field.value = text
  const label = h("label", {}, 'Rules (such as "10/second burst 20; 1000/hour")', field)
  return { rows: [label], first: field, read: () => field.value }
}

/** The edit that is open, or that a login interrupted. */
let edit = null

/** Takes an edit that is under way from the page, with what was typed: `resumeEdit` shows it again. */
export function interruptEdit() {
  if (edit === null) return
  // One that is taken away so does not tell its view that it was closed.
  edit.dialog.remove()
  edit.dialog.open = false
}

/** @param {{ onDone: (name: string) => void }} view from now on told instead of the one that the edit was begun in */
export function resumeEdit(view) {
  if (edit !== null && !edit.dialog.isConnected) edit.show(view)
}

export function forgetEdit() {
  edit = null
}

/**
 * Asks for a limit's name and policy, and defines it.
 *
 * @param {{ onDone: (name: string) => void }} view told when the limit is another than the list says, by this or by
 *   others
 */
export function editLimit({ act, onDone }, status) {
  let tellDone = onDone
  const policy = status === undefined ? undefined : parsePolicy(status.definition)
  const isText = policy?.rules.length > 1
  const isNew = status === undefined
  // Rules that bear the limit's name keep it without saying so.
  const bearsName = !isNew && policyText(status) !== status.definition_text
  let part = isText ? ruleText(policyText(status)) : ruleFields(policy)
  const name = h("input", {
    required: true,
    maxlength: 512,
    value: isNew ? "" : shown(status.key, 512),
    readonly: !isNew,
    autocomplete: "off",
    spellcheck: "false",
  })
  let isOvertaken = false
  const onclose = () => {
    dialog.remove()
    forgetEdit()
    if (isOvertaken) tellDone(status.key)
  }
  const described = status?.configured ? { "aria-describedby": OF_FILE_ID } : {}
  const dialog = h("dialog", { "aria-label": isNew ? "New limit" : "Edit limit", ...described, onclose })

  /** Others may edit too: what they did is not undone unseen. */
  function requireUnchanged(known) {
    if (known?.definition_text === status.definition_text) return
    isOvertaken = true
    if (known === null)
      throw new Error("The limit was removed meanwhile. A new one of its name begins with nothing used.")
    throw new Error(`The limit was changed meanwhile, to ${shown(policyText(known), 200)}. Edit it anew from the list.`)
  }

  /** Rules that bore the limit's name bear it when they are changed, where they can. */
  function withNames(policy) {
    if (!bearsName) return policy
    return JSON.parse(withNameIfFits(parsePolicy(policy), nameForRules(status.limit)).canonical)
  }

  async function define() {
    const policy = part.read()
    // A limit that is there keeps its rules' names; a new one's rules bear its own where they can.
    // What the field shows is not always the name.
    const value = isNew ? name.value : status.key
    const found = await post("/v1/status", { key: value })
    const known = found?.limit === value ? found : null
    if (!isNew) {
      requireUnchanged(known)
      return post("/v1/limits", { key: value, policy: withNames(policy) })
    }
    if (known !== null) throw new Error("There is a limit of this name already. The list lets you edit it.")
    return post("/v1/limits", { [RULE_NAME.test(value) ? "name" : "key"]: value, policy })
  }

  const asText = h(
    "button",
    {
      type: "button",
      hidden: isText,
      onclick() {
        if (!form.reportValidity()) return
        problem.textContent = ""
        const replaced = part.rows
        try {
          const text = formatPolicy(parsePolicy(part.read()))
          part = ruleText(bearsName ? policyText({ limit: status.limit, definition_text: text }) : text)
        } catch (error) {
          problem.textContent = error.message
          return
        }
        replaced[0].before(...part.rows)
        for (const row of replaced) row.remove()
        asText.hidden = true
        part.first.focus()
      },
    },
    "As text",
  )
  // What lies behind a dialog is neither bright nor read out.
  const problem = h("p", { class: "denied", role: "alert" })
  const tellProblem = (text) => {
    problem.textContent = text
  }
  const form = h(
    "form",
    {
      method: "dialog",
      async onsubmit(event) {
        event.preventDefault()
        problem.textContent = ""
        const told = isNew ? "Saved." : `Saved${status.configured ? " for now" : ""}. What was used stays used.`
        const saved = await act(define, { done: () => told, tellWrong: tellProblem })
        if (saved === undefined) return
        dialog.close()
        tellDone(isNew ? name.value : status.key)
      },
    },
    h("label", {}, "Name", name),
    status?.configured ? h("p", { id: OF_FILE_ID }, OF_FILE) : null,
    ...part.rows,
    problem,
    h(
      "div",
      { class: "actions" },
      h("button", { class: "primary" }, "Save"),
      h("button", { type: "button", onclick: () => dialog.close() }, "Cancel"),
      asText,
    ),
  )
  dialog.append(h("h2", {}, isNew ? "New limit" : `Edit ${shown(status.key, 60)}`), form)
  function show(view) {
    tellDone = view.onDone
    document.body.append(dialog)
    dialog.showModal()
    const first = isNew ? name : part.first
    first.focus()
    if (!isNew) first.select()
  }
  edit = { dialog, show }
  show({ onDone })
}
