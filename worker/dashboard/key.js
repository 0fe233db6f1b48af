import { post } from "./api.js"
import { h, number, shown, table, time } from "./dom.js"
import { makeLatest } from "./latest.js"
import { formatSpan, parsePolicy, reasonInSpans } from "./policies.js"
import { policyText } from "./policy-text.js"

/** How much of the history is shown at first, and at most. */
const FIRST_SHOWN = 10
const MAX_SHOWN = 50

const wasReset = ({ reset }) => (reset ? "The key is full again." : "The key was full already.")
const wasUnblocked = ({ unblocked }) =>
  unblocked ? "The key is not blocked any more." : "The block had ended already."

const inUnits = (ms) => formatSpan(ms, " ")

function rulesOf({ state, definition }) {
  const capacities = new Map(parsePolicy(definition).rules.map(({ name, capacity }) => [name, capacity]))
  return h(
    "div",
    {},
    ...state.rules.map((rule) => {
      const most = capacities.get(rule.policy) ?? rule.limit
      const label = `${number(rule.remaining)} of ${number(most)} left`
      return h(
        "p",
        {},
        h("meter", {
          min: 0,
          max: most,
          value: Math.min(most, rule.remaining),
          low: most * 0.2,
          high: most * 0.5,
          optimum: most,
          "aria-label": label,
        }),
        ` ${shown(rule.policy, 60)}: ${label}${rule.reset_after_ms === 0 ? "" : `, full in ${inUnits(rule.reset_after_ms)}`}`,
      )
    }),
  )
}

function pairs(entries) {
  return h("dl", {}, ...entries.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]))
}

/** One key: its state, why it would be denied, what happened to it, and what can be done. */
export function keyView({ main, place, go, act, load: loadFirst }) {
  const fields = {
    key: h("input", { name: "key", required: true, value: place.key ?? "", autocomplete: "off", spellcheck: "false" }),
    limit: h("input", { name: "limit", value: place.limit ?? "", autocomplete: "off", spellcheck: "false" }),
    cost: h("input", { name: "cost", type: "number", min: 0, max: 2 ** 31, value: place.cost ?? 1 }),
  }
  // A field drops line breaks: what it shows is not always what it was given, and stands for it until it is changed.
  const shownAtFirst = { key: fields.key.value, limit: fields.limit.value }
  const said = (name) => (fields[name].value === shownAtFirst[name] ? (place[name] ?? "") : fields[name].value)
  const costAsked = () => (fields.cost.value === "" ? 1 : Number(fields.cost.value))
  // What a check would be told is read out when it is another; what else there is of a key is there to be read.
  const heading = h("h2", { tabindex: "-1", hidden: true }, shown(place.key ?? "", 512))
  const verdict = h("p", { role: "status" })
  const because = h("p")
  const state = h("div")
  const answer = h("section", { hidden: place.key === undefined }, heading, verdict, because, state)
  const rest = h("div")
  main.append(
    h(
      "section",
      {},
      h("h2", {}, "Look at a key"),
      h(
        "form",
        {
          onsubmit(event) {
            event.preventDefault()
            const [key, limit] = [said("key"), said("limit")]
            if (key !== place.key || limit !== (place.limit ?? ""))
              go({ view: "key", key, ...(limit !== "" && { limit }), cost: costAsked() })
            else load(costAsked())
          },
        },
        h("label", {}, "Key", fields.key),
        h("label", {}, "Limit (empty: its own, or the default)", fields.limit),
        h("label", {}, "Cost", fields.cost),
        h("button", { class: "primary" }, "Look"),
      ),
    ),
    answer,
    rest,
  )
  const looking = makeLatest()
  let isOver = false
  let isAnswered = false
  let shownEvents = FIRST_SHOWN
  const choice = { key: place.key, ...(place.limit !== undefined && { limit: place.limit }) }

  function historyOf(history) {
    const rows = history.map(({ at, event, units, count }) => [
      time(at),
      h(
        "span",
        { class: event === "deny" || event === "block" ? "denied" : event === "admit" ? "allowed" : "" },
        event,
      ),
      number(units),
      number(count),
    ])
    const section = h("section", {})
    const show = () => {
      const found = table(
        "History, newest first",
        [{ title: "Time" }, { title: "Event" }, { title: "Units", kind: "number" }, { title: "Times", kind: "number" }],
        rows.slice(0, shownEvents),
        "Nothing is known of it.",
      )
      const showMore = () => {
        shownEvents = MAX_SHOWN
        // The button is gone with this, and the focus with it.
        show().focus()
      }
      const more = h("button", { type: "button", onclick: showMore }, `More (${number(rows.length - shownEvents)})`)
      section.replaceChildren(found, ...(rows.length > shownEvents ? [h("div", { class: "actions" }, more)] : []))
      return found
    }
    show()
    return section
  }

  async function change(path, body, done) {
    const pressed = document.activeElement?.textContent
    if ((await act(() => post(path, { ...choice, ...body }), { done })) === undefined) return
    // A cost that was typed meanwhile is not looked at yet, and may be refused.
    await load(place.cost)
    // The button was made anew, and the focus is gone with the old one. What it led to may need it no more.
    const again = [...state.querySelectorAll("button")].find((each) => each.textContent === pressed && !each.disabled)
    const next = again ?? heading
    next.focus()
  }

  function tellWrong(text) {
    verdict.replaceChildren(h("span", { class: "denied" }, text))
    because.textContent = isAnswered ? "What stands below was told before." : ""
  }

  async function load(cost) {
    if (place.key === undefined) return
    const isLatest = looking()
    const tellIfLatest = (text) => {
      if (isLatest()) tellWrong(text)
    }
    const work = () =>
      Promise.all([
        post("/v1/status", choice),
        post("/v1/explain", { ...choice, cost }),
        post("/v1/history", { ...choice, count: MAX_SHOWN }),
      ])
    const asked = await (isAnswered ? act(work, { tellWrong: tellIfLatest }) : loadFirst(work, tellIfLatest))
    if (isOver || asked === undefined || !isLatest()) return
    const [status] = asked
    if (status === null) return tellWrong("No limit is configured for this key.")
    isAnswered = true
    place.cost = cost
    history.replaceState({ ...place }, "")
    showAnswer(...asked)
  }

  function showAnswer(status, explained, history) {
    const { decision } = explained
    const outcome = decision.allowed
      ? h("strong", { class: "allowed" }, "would be allowed")
      : h("strong", { class: "denied" }, "would be denied")
    const duration = h(
      "select",
      { "aria-label": "For how long" },
      ...["10m", "1h", "1d", "7d"].map((each) => h("option", {}, each)),
    )
    const blocked = explained.state.blocked_for_ms
    heading.hidden = false
    verdict.replaceChildren(
      `A check of cost ${number(decision.cost)} `,
      outcome,
      decision.allowed ? "." : untilWhen(explained),
    )
    because.textContent = shown(reasonInSpans(explained.because, " "), 1_000)
    state.replaceChildren(
      rulesOf(explained),
      h(
        "div",
        { class: "actions" },
        h("button", { type: "button", onclick: () => change("/v1/reset", {}, wasReset) }, "Reset"),
        duration,
        h(
          "button",
          {
            type: "button",
            class: "danger",
            onclick: () => change("/v1/block", { duration: duration.value }, () => "The key is blocked."),
          },
          "Block",
        ),
        h(
          "button",
          {
            type: "button",
            disabled: blocked === 0,
            onclick: () => change("/v1/unblock", {}, wasUnblocked),
          },
          "Unblock",
        ),
      ),
    )
    rest.replaceChildren(
      h(
        "section",
        {},
        pairs([
          ["Limit", shown(explained.limit)],
          ["Policy", shown(policyText(explained), 1_000)],
          ["Blocked", blocked === 0 ? "no" : `for ${inUnits(blocked)}`],
          [
            "Allowed",
            `${number(status.total_allowed)} checks, ${number(status.total_allowed_cost)} units, last ${time(status.last_allowed_at)}`,
          ],
          [
            "Denied",
            `${number(status.total_denied)} checks, ${number(status.total_denied_cost)} units, last ${time(status.last_denied_at)}`,
          ],
          ["Reset", time(status.last_reset_at)],
        ]),
      ),
      historyOf(history),
    )
  }

  load(costAsked())
  return () => {
    isOver = true
  }
}

function untilWhen({ next_admission_at, decision }) {
  if (next_admission_at === null) return ", and no wait helps."
  return `, until ${time(next_admission_at)}: in ${inUnits(decision.retry_after_ms)}.`
}
