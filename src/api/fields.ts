import { ALGORITHM_NAMES } from "../policy/algorithm-name.js"
import { MAX_PERIOD_MS, MAX_UNITS } from "../policy/policy-range.js"
import { RULE_NAME } from "../policy/rule-name.js"
import { ALGORITHMS } from "../types/algorithm.js"
import type {
  AllDecisionJson,
  DecisionJson,
  ExplanationJson,
  HistoryJson,
  LimitDecisionJson,
  ReceiptJson,
  RuleJson,
  StatusJson,
  TopJson,
} from "../types/api-json.js"
import {
  anyOf,
  arrayOf,
  component,
  flag,
  nullable,
  object,
  oneOf,
  optional,
  type Schema,
  text,
  whole,
} from "./schema.js"

// What requests say.

/** A text that the limiter itself judges as a key, so that a wrong one is a `KeyError` here as everywhere. */
function keyText(description: string): Schema<string> {
  const anyText = text()
  return { json: text({ description, minLength: 1, maxLength: 512 }).json, read: anyText.read }
}

export const key = keyText("Any text, 1 to 512 bytes of UTF-8.")
export const limitName = keyText("The name of a configured limit.")
export const cost = whole({ description: "Units to charge.", minimum: 0, maximum: MAX_UNITS })
export const units = whole({ description: "Units.", minimum: 0, maximum: MAX_UNITS })
export const callId = text({
  description: "Names this call: repeated within 5 minutes, an admission is told again and not made again.",
  minLength: 1,
  maxLength: 64,
  pattern: "^[ -~]+$",
})
export const duration = anyOf(whole({ minimum: 0, maximum: MAX_PERIOD_MS }), text({ minLength: 1, maxLength: 64 }), {
  allowed: 'a whole number of ms, or a text such as "10s"',
  description: 'Milliseconds, or a text such as "10s", "15m" or "minute".',
})
const algorithm = oneOf(ALGORITHM_NAMES)

export const units1 = whole({ minimum: 1, maximum: MAX_UNITS })

export const ruleName = text({ minLength: 1, maxLength: 64, pattern: RULE_NAME.source })

/** What says more of a rule than how many units there are in which time. */
export const ruleOptions = {
  algorithm: optional(algorithm),
  burst: optional(units1),
  refill: optional(
    anyOf(oneOf(["continuous"]), object({ amount: units1, every: duration }), {
      allowed: '"continuous" or { amount, every }',
    }),
  ),
  anchor: optional(oneOf(["epoch", "first"])),
  offset: optional(duration),
  block: optional(duration),
}

const rule = component(
  "Rule",
  object(
    {
      limit: units1,
      period: duration,
      ...ruleOptions,
      name: optional(ruleName),
    },
    { description: "One rule of a limit." },
  ),
)

const shortForm = text({ description: 'Such as "100/minute burst 20".', minLength: 1, maxLength: 16_384 })

export const policy = anyOf(
  shortForm,
  arrayOf(anyOf(shortForm, rule, { allowed: "a short form or a rule" }), { minItems: 1, maxItems: 8 }),
  {
    allowed: 'a short form such as "100/minute", or an array of 1 to 8 rules',
    description: "One rule or several, all of which must admit.",
  },
)

export const receipt: Schema<ReceiptJson> = component(
  "Receipt",
  object(
    {
      id: text({ minLength: 1, maxLength: 4_096 }),
      key,
      policy: text({ maxLength: 1_024 }),
      cost: units,
      charged_at_ms: whole({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }),
    },
    { description: "Proof of a charge, to be given back as it came. It settles once." },
  ),
)

// What answers say.

const count = whole({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER })
const time = text({ description: "ISO 8601, UTC.", format: "date-time" })
const algorithmName = oneOf(ALGORITHMS)

const ruleState: Schema<RuleJson> = component(
  "RuleState",
  object({
    policy: text(),
    algorithm: algorithmName,
    limit: count,
    per_millis: count,
    remaining: count,
    retry_after_ms: count,
    reset_after_ms: count,
  }),
)

const decided = {
  key: text(),
  allowed: flag(),
  cost: count,
  remaining: count,
  reset_at: time,
  algorithm: algorithmName,
  limit: count,
  retry_after_ms: count,
  reset_after_ms: count,
  delay_ms: count,
  policy: text(),
  reason: oneOf(["ok", "limit", "blocked", "cached", "fail-open", "fail-closed", "fail-local"]),
  receipt: nullable(receipt),
  rules: optional(arrayOf(ruleState)),
}

const limitDecision: Schema<LimitDecisionJson> = component(
  "LimitDecision",
  object(decided, { description: "What one limit of a group decided, with the receipt of its own charge." }),
)

export const decision: Schema<DecisionJson> = component(
  "Decision",
  object(
    { ...decided, limits: optional(arrayOf(limitDecision)) },
    { description: "A denial is an answer, not an error. A group's has no `receipt`: its limits' are in `limits`." },
  ),
)

export const allDecision: Schema<AllDecisionJson> = component(
  "AllDecision",
  object({
    allowed: flag(),
    denied_key: nullable(text()),
    denied_policy: nullable(text()),
    results: arrayOf(decision),
  }),
)

const stats = {
  total_allowed: count,
  total_denied: count,
  total_allowed_cost: count,
  total_denied_cost: count,
  last_allowed_at: nullable(time),
  last_denied_at: nullable(time),
  last_reset_at: nullable(time),
}

const state = {
  policy: text(),
  remaining: count,
  reset_after_ms: count,
  blocked_for_ms: count,
  rules: arrayOf(ruleState),
}

/** A policy, wherever one is told. */
const policyTold = {
  definition: text({ description: "The limit's policy, in canonical form." }),
  definition_text: text({
    description: 'The same as people write it: "10/second; 1000/hour", or JSON where the short form cannot say it.',
  }),
}

export const status: Schema<StatusJson> = component(
  "Status",
  object({
    key: text(),
    rate: count,
    per_millis: count,
    algorithm: algorithmName,
    reset_at: time,
    ...stats,
    limit: text({ description: "The limit that the key is under." }),
    fixed: optional(flag({ description: "True where that limit cannot be changed or removed here; else not there." })),
    configured: optional(
      flag({
        description:
          "True where a configuration gives that limit, and puts it back when it is read anew; else not there.",
      }),
    ),
    ...policyTold,
    ...state,
  }),
)

export const historyEntry: Schema<HistoryJson> = component(
  "HistoryEntry",
  object({
    at: time,
    event: oneOf(["admit", "deny", "charge", "refund", "block", "unblock", "reset", "define"]),
    key: text(),
    limit: text(),
    units: count,
    count,
  }),
)

export const topEntry: Schema<TopJson> = component("TopEntry", object({ key: text(), limit: text(), ...stats }))

export const explanation: Schema<ExplanationJson> = component(
  "Explanation",
  object({
    key: text(),
    limit: text(),
    ...policyTold,
    decision,
    state: object(state),
    next_admission_at: nullable(time),
    because: text(),
    recent: arrayOf(historyEntry),
  }),
)

export const finding = component("Finding", object({ name: text(), ok: flag(), detail: text() }))

/** Problem details have members beyond these, by their `code`. */
export const problem = component("Problem", {
  json: {
    type: "object",
    description: "RFC 9457, with the message as `error` too.",
    properties: {
      type: { type: "string" },
      title: { type: "string" },
      status: { type: "integer" },
      detail: { type: "string" },
      error: { type: "string" },
      code: { type: "string", description: "What it is, for machines: stable across versions." },
    },
    required: ["type", "title", "status", "detail", "error", "code"],
  },
  read: (value) => value,
})
