import { type OwnDecision, ownDecisions } from "../../limiter/limit-names.js"
import { DEFAULT_LIMIT } from "../../limiter/named-limits.js"
import { itemsOf } from "../../limiter/require-check-options.js"
import { MAX_TOGETHER } from "../../policy/require-group.js"
import type { AllDecisionJson } from "../../types/api-json.js"
import type { Awaitable } from "../../types/limiter.js"
import { decisionJson, jsonAnswer, jsonTextAnswer } from "../answers.js"
import type { ApiContext } from "../api-context.js"
import { decisionText } from "../decision-text.js"
import { allDecision, callId, cost, decision, key, limitName } from "../fields.js"
import { noteToldAgain } from "../note-told-again.js"
import { isFailure } from "../problem-answer.js"
import { defineRoute, jsonOf } from "../route.js"
import { arrayOf, object, optional } from "../schema.js"
import { findDeciding } from "../told-limit.js"

const checkFields = { key, cost: optional(cost), limit: optional(limitName), id: optional(callId) }

/** Tells the metrics and the event stream of decisions that took so long. */
async function tell(context: ApiContext, made: readonly OwnDecision[], seconds: number, nowMs: number): Promise<void> {
  const { tellDecision } = context
  if (tellDecision === null) return
  for (const { decision, asked } of made) {
    tellDecision(decision, await findDeciding(context, decision.key, asked), seconds, nowMs)
  }
}

/**
 * What checks ask for, with those counted that the store failed to decide.
 *
 * @param checks how many limits are asked, those of a group each
 */
async function asking<T>(context: ApiContext, checks: number, ask: () => Awaitable<T>): Promise<T> {
  try {
    return await ask()
  } catch (error) {
    if (isFailure(error)) context.onFailure(checks)
    throw error
  }
}

export const check = defineRoute({
  method: "POST",
  path: "/v1/check",
  id: "check",
  summary: "Ask and charge. A denied check is a 200 whose `allowed` is false, and charges nothing.",
  body: object(checkFields),
  answer: jsonOf(decision, "The decision."),
  async handle(context, { body: { key: of, ...options } }) {
    const startedMs = performance.now()
    const checks = context.limitsAsked(options.limit ?? DEFAULT_LIMIT)
    const made = await asking(context, checks, () => context.limits.check(of, options))
    const nowMs = context.clock.now()
    const seconds = (performance.now() - startedMs) / 1000
    const told = ownDecisions(made, options.limit).filter(
      ({ decision }) => !noteToldAgain(context.recent, decision, options.id),
    )
    await tell(context, told, seconds, nowMs)
    return jsonTextAnswer(decisionText(made, nowMs))
  },
})

export const peek = defineRoute({
  method: "POST",
  path: "/v1/peek",
  id: "peek",
  summary: "What a check would be told, charging nothing.",
  body: object(checkFields),
  answer: jsonOf(decision, "The decision."),
  async handle({ limits, clock }, { body: { key: of, ...options } }) {
    return jsonTextAnswer(decisionText(await limits.peek(of, options), clock.now()))
  },
})

export const checkAll = defineRoute({
  method: "POST",
  path: "/v1/check-all",
  id: "checkAll",
  summary: "Ask and charge several at once: all are admitted, or nothing is charged.",
  body: object({
    items: arrayOf(object(checkFields), { minItems: 1, maxItems: MAX_TOGETHER }),
    id: optional(callId),
  }),
  answer: jsonOf(allDecision, "Each one's own decision."),
  async handle(context, { body }) {
    const items = itemsOf(body.items, { id: body.id })
    const startedMs = performance.now()
    const all = await asking(context, items.length, () => context.limits.checkAll(items))
    const nowMs = context.clock.now()
    const seconds = (performance.now() - startedMs) / 1000
    // Where one was denied, those that would have passed were not charged: they are neither admitted nor denied.
    const told = all.decisions
      .map((decision, index) => ({ decision, asked: items[index]!.limit, id: items[index]!.id }))
      .filter(({ decision }) => all.allowed || !decision.allowed)
      .filter(({ decision, id }) => !noteToldAgain(context.recent, decision, id))
    await tell(context, told, seconds, nowMs)
    return jsonAnswer({
      allowed: all.allowed,
      denied_key: all.deniedKey,
      denied_policy: all.deniedPolicy,
      results: all.decisions.map((made) => decisionJson(made, nowMs)),
    } satisfies AllDecisionJson)
  },
})
