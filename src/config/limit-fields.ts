import { ALGORITHM_NAMES, parseAlgorithmName } from "../policy/algorithm-name.js"
import { BURST_ALGORITHMS, RULE_FIELDS } from "../policy/parse-rule.js"
import { MAX_PERIOD_MS, MAX_TIMER_MS, MAX_UNITS } from "../policy/policy-range.js"
import { RULE_NAME, RULE_NAME_ALLOWED } from "../policy/rule-name.js"
import type { Algorithm } from "../types/algorithm.js"
import type { Field } from "./field.js"

/** The most limits that a group may have. */
export const MAX_LIMITS_OF_GROUP = 16

export const failMode: Field = {
  kind: "choice",
  of: ["open", "closed", "local"],
  about: "What happens to a request while the limiter does not answer: it passes, is refused, or memory limits alone.",
}
export const timeout: Field = {
  kind: "duration",
  minMs: 1,
  maxMs: MAX_TIMER_MS,
  about: "How long the limiter may take to answer.",
}
export const key: Field = {
  kind: "key",
  about:
    'What requests are counted by: "address", "api-key", "bearer-token", "header:NAME", "cookie:NAME", or several.',
}
export const duration = (about: string, minMs = 1): Field => ({
  kind: "duration",
  minMs,
  maxMs: MAX_PERIOD_MS,
  about,
})
const units = (about: string): Field => ({ kind: "whole", min: 1, max: MAX_UNITS, about })
export const policies: Field = {
  kind: "named",
  of: { kind: "policy", about: 'A short form such as "100/minute", a rule, or a list of either.' },
  about: "Policies in place of those of the limits, by the limit's name.",
}

/** Clients by address and by key. */
export const accessList = (about: string): Field => ({
  kind: "table",
  about,
  fields: {
    addresses: {
      kind: "list",
      items: "addresses and networks",
      minItems: 0,
      of: {
        kind: "text",
        pattern: /^[0-9A-Fa-f:.]+(\/\d{1,3})?$/,
        allowed: "an address, or a network such as 192.0.2.0/24 or 2001:db8::/32",
        about: "An address or a network.",
      },
      about: "Addresses, and networks in CIDR notation.",
    },
    keys: {
      kind: "list",
      items: "keys",
      minItems: 0,
      of: { kind: "text", pattern: /^.{1,512}$/, allowed: "a key on one line", about: "A key." },
      about: 'Keys as they are counted, without the prefix, such as "header:x-tenant=acme".',
    },
  },
})

/** What is said of the requests that a limit or a group protects. */
export const ofRequests = {
  paths: {
    kind: "list",
    items: 'path prefixes such as "/api"',
    minItems: 1,
    of: {
      kind: "text",
      pattern: /^\/[^?#]*$/,
      allowed: 'a path such as "/api", without a query',
      about: "A prefix.",
    },
    about: "The path prefixes that it protects, in the deployable Worker.",
    schema: { uniqueItems: true },
  },
  allow: accessList("Clients that are not limited, beside those that every limit allows."),
  deny: accessList("Clients that are refused whatever their quota, beside those that every limit denies."),
  penalty: {
    kind: "table",
    about: "Units charged on top once the response is known, into debt if need be.",
    required: ["status", "units"],
    fields: {
      status: {
        kind: "list",
        items: "statuses such as 401",
        minItems: 1,
        of: { kind: "whole", min: 100, max: 599, about: "A status." },
        about: "The statuses that cost it, such as 401 and 403.",
      },
      units: units("How much, of every limit of the request."),
    },
  },
  delay: {
    kind: "duration",
    minMs: 1,
    maxMs: MAX_TIMER_MS,
    about: "Holds admitted requests of a leaky_bucket until they may leave; what it would hold for longer is denied.",
  },
  fail_mode: failMode,
  timeout,
} as const satisfies Readonly<Record<string, Field>>

/** A JSON Schema: with these algorithms there are no such fields. One that is not named may be any of them. */
const without = (algorithms: readonly string[], ...fields: readonly string[]) => ({
  if: { properties: { algorithm: { enum: algorithms } }, required: ["algorithm"] },
  // biome-ignore lint/suspicious/noThenProperty: it is no promise, but the keyword of JSON Schema.
  then: { properties: none(fields) },
})

const none = (fields: readonly string[]) => Object.fromEntries(fields.map((field) => [field, false]))
/** The names of all algorithms but these, which may have several. */
const allBut = (algorithms: readonly Algorithm[]) =>
  ALGORITHM_NAMES.filter((name) => !algorithms.includes(parseAlgorithmName("algorithm", name)))

/** Which fields a rule has depends on its algorithm. */
export const RULE_CONDITIONS = [
  without(allBut(BURST_ALGORITHMS), "burst"),
  without(allBut(["token_bucket"]), "refill"),
  without(allBut(["fixed_window"]), "anchor", "offset"),
]

/** One limit. */
export const limit: Field & { readonly kind: "table" } = {
  kind: "table",
  about: 'A limit: either "policy", or the fields of one rule. A text alone is its policy.',
  short: "policy",
  schema: {
    oneOf: [
      { required: ["policy"], properties: { policy: true, ...none(RULE_FIELDS) } },
      { required: ["limit", "period"], properties: { limit: true, period: true, ...none(["policy"]) } },
    ],
    allOf: RULE_CONDITIONS,
  },
  fields: {
    policy: { kind: "policy", about: 'A short form such as "100/minute burst 20", a rule, or a list of either.' },
    limit: units("Units allowed per period."),
    period: duration('How long a period is, such as "1m".'),
    algorithm: {
      kind: "choice",
      of: ALGORITHM_NAMES,
      about: "How units are counted.",
    },
    burst: units("Most units at once, for gcra, token_bucket and leaky_bucket."),
    refill: {
      kind: "table",
      about: "Refills a token_bucket in steps, at the same rate.",
      fields: { amount: units("Units per step."), every: duration("The time between steps.") },
    },
    anchor: { kind: "choice", of: ["epoch", "first"], about: "Where a fixed_window starts." },
    offset: duration("Shifts the starts of a fixed_window.", 0),
    block: duration("How long a key stays denied once it was denied."),
    key,
    cost: { kind: "whole", min: 0, max: MAX_UNITS, about: "Units that a request costs." },
    ...ofRequests,
  },
}

/** Several limits that decide on one request together. */
export const group: Field & { readonly kind: "table" } = {
  kind: "table",
  about: "Several limits for one request, all of which must admit it; one that denies leaves the others uncharged.",
  required: ["limits"],
  fields: {
    limits: {
      kind: "list",
      items: "names of limits",
      minItems: 1,
      of: { kind: "text", pattern: RULE_NAME, allowed: RULE_NAME_ALLOWED, about: "A limit's name." },
      about: "The names of the limits, at most 16. Each has its own policy, key and cost.",
      schema: { uniqueItems: true, maxItems: MAX_LIMITS_OF_GROUP },
    },
    ...ofRequests,
  },
}
