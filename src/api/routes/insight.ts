import type { HistoryOptions, LimitChoice, NamedLimits } from "../../limiter/named-limits.js"
import { MAX_UNITS } from "../../policy/policy-range.js"
import type { ExplanationJson } from "../../types/api-json.js"
import type { Clock } from "../../types/clock.js"
import { decisionJson, historyJson, jsonAnswer, policyJson, stateJson, topJson } from "../answers.js"
import { cost, explanation, historyEntry, key, limitName, topEntry } from "../fields.js"
import { isoTime } from "../iso-time.js"
import { defineRoute, jsonOf } from "../route.js"
import { arrayOf, digits, object, oneOf, optional, text, whole } from "../schema.js"

const MAX_ENTRIES = 1_000
const NAMES_NOT_KEPT = "The server keeps no names of keys."

async function historyOf(limits: NamedLimits, of: string, options: HistoryOptions) {
  return jsonAnswer((await limits.history(of, options)).map(historyJson))
}

const historyAnswer = jsonOf(arrayOf(historyEntry), "The key's last events, newest first.")

export const history = defineRoute({
  method: "GET",
  path: "/v1/history/{key}",
  id: "getHistory",
  summary: "What happened to a key.",
  query: object({ count: optional(digits({ minimum: 1, maximum: MAX_ENTRIES })), limit: optional(limitName) }),
  answer: historyAnswer,
  handle: ({ limits }, { key: of, query }) => historyOf(limits, of, query),
})

export const postHistory = defineRoute({
  method: "POST",
  path: "/v1/history",
  id: "postHistory",
  summary: "What happened to a key that is not to stand in a URL.",
  body: object({ key, count: optional(whole({ minimum: 1, maximum: MAX_ENTRIES })), limit: optional(limitName) }),
  answer: historyAnswer,
  handle: ({ limits }, { body: { key: of, ...options } }) => historyOf(limits, of, options),
})

export const top = defineRoute({
  method: "GET",
  path: "/v1/top",
  id: "getTop",
  summary: "The keys with the most checks denied or allowed.",
  query: object({
    by: optional(oneOf(["denied", "allowed"])),
    limit: optional(digits({ description: "The most keys to tell.", minimum: 0, maximum: MAX_ENTRIES })),
    name: optional(limitName),
  }),
  answer: jsonOf(arrayOf(topEntry), "Most first."),
  notFound: NAMES_NOT_KEPT,
  async handle({ limits }, { query: { by = "denied", limit: count = 20, name } }) {
    return jsonAnswer((await limits.top({ by, count, ...(name !== undefined && { limit: name }) })).map(topJson))
  },
})

export const keys = defineRoute({
  method: "GET",
  path: "/v1/keys",
  id: "listKeys",
  summary: "The keys that are known by name, in their order.",
  query: object({
    limit: optional(limitName),
    after: optional(text({ description: "The last key of the page before.", maxLength: 512 })),
    count: optional(digits({ minimum: 0, maximum: MAX_ENTRIES })),
  }),
  answer: jsonOf(arrayOf(text()), `At most ${MAX_ENTRIES}.`),
  notFound: NAMES_NOT_KEPT,
  handle: async ({ limits }, { query }) => jsonAnswer(await limits.list({ count: MAX_ENTRIES, ...query })),
})

async function explain(limits: NamedLimits, clock: Clock, of: string, options: { cost?: number } & LimitChoice) {
  const found = await limits.explain(of, options)
  return jsonAnswer({
    key: of,
    limit: found.limit,
    ...policyJson(found.policy),
    decision: decisionJson(found.decision, clock.now()),
    state: stateJson(found.status),
    next_admission_at: found.nextAdmissionAtMs === null ? null : isoTime(found.nextAdmissionAtMs),
    because: found.because,
    recent: found.recent.map(historyJson),
  } satisfies ExplanationJson)
}

const explainAnswer = jsonOf(explanation, "Its state, the rule that binds, when it would pass, and its last events.")

export const explainKey = defineRoute({
  method: "GET",
  path: "/v1/explain/{key}",
  id: "getExplanation",
  summary: "Why a check would be answered as it would be now.",
  query: object({ cost: optional(digits({ minimum: 0, maximum: MAX_UNITS })), limit: optional(limitName) }),
  answer: explainAnswer,
  handle: ({ limits, clock }, { key: of, query }) => explain(limits, clock, of, query),
})

export const postExplain = defineRoute({
  method: "POST",
  path: "/v1/explain",
  id: "postExplanation",
  summary: "Why a check of a key that is not to stand in a URL would be answered as it would be now.",
  body: object({ key, cost: optional(cost), limit: optional(limitName) }),
  answer: explainAnswer,
  handle: ({ limits, clock }, { body: { key: of, ...options } }) => explain(limits, clock, of, options),
})
