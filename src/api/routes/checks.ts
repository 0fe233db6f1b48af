import { refuseRepeats } from "../../limiter/decide-all.js"
import { limitLabel } from "../../metrics/limit-label.js"
import type { Decision } from "../../types/decision.js"
import { decisionJson, jsonAnswer, jsonTextAnswer } from "../answers.js"
import type { ApiContext } from "../api-context.js"
import { decisionText } from "../decision-text.js"
import { allDecision, callId, cost, decision, key, limitName } from "../fields.js"
import { defineRoute, jsonOf } from "../route.js"
import { arrayOf, object, optional } from "../schema.js"

const checkFields = { key, cost: optional(cost), limit: optional(limitName) }

/** Tells the metrics and the event stream of a decision that was made since `startedMs`. */
function tell(context: ApiContext, made: Decision, limit: string | undefined, startedMs: number, nowMs: number): void {
  context.onDecision(made, limitLabel(made, limit), (performance.now() - startedMs) / 1000, nowMs)
}

export const check = defineRoute({
  method: "POST",
  path: "/v1/check",
  id: "check",
  summary: "Ask and charge. A denied check is a 200 whose `allowed` is false, and charges nothing.",
  body: object({ ...checkFields, id: optional(callId) }),
  answer: jsonOf(decision, "The decision."),
  async handle(context, { body: { key: of, ...options } }) {
    const startedMs = performance.now()
    const made = await context.limits.check(of, options)
    const nowMs = context.clock.now()
    if (options.id === undefined || !context.recent.isRepeated(made.receipt?.id)) {
      tell(context, made, options.limit, startedMs, nowMs)
    }
    return jsonTextAnswer(decisionText(made, nowMs))
  },
})

export const peek = defineRoute({
  method: "POST",
  path: "/v1/peek",
  id: "peek",
  summary: "What a check would be told, charging nothing.",
  body: object({ ...checkFields, id: optional(callId) }),
  answer: jsonOf(decision, "The decision."),
  async handle({ limits, clock }, { body: { key: of, ...options } }) {
    return jsonTextAnswer(decisionText(await limits.peek(of, options), clock.now()))
  },
})

/** The most checks decided together: more would be one long transaction. */
const MOST_ITEMS = 1_000

export const checkAll = defineRoute({
  method: "POST",
  path: "/v1/check-all",
  id: "checkAll",
  summary: "Ask and charge several at once: all are admitted, or nothing is charged.",
  body: object({ items: arrayOf(object(checkFields), { minItems: 1, maxItems: MOST_ITEMS }) }),
  answer: jsonOf(allDecision, "Each one's own decision."),
  async handle(context, { body: { items } }) {
    refuseRepeats(items.map(({ key: of, limit }) => ({ subject: `${limit ?? ""}\n${of}`, key: of })))
    const startedMs = performance.now()
    const all = await context.limits.checkAll(items)
    const nowMs = context.clock.now()
    for (const [index, made] of all.decisions.entries()) {
      // Where one was denied, those that would have passed were not charged: they are neither admitted nor denied.
      if (all.allowed || !made.allowed) tell(context, made, items[index]!.limit, startedMs, nowMs)
    }
    return jsonAnswer({
      allowed: all.allowed,
      denied_key: all.deniedKey,
      denied_policy: all.deniedPolicy,
      results: all.decisions.map((made) => decisionJson(made, nowMs)),
    })
  },
})
