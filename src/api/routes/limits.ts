import { inParallel } from "../../lib/in-parallel.js"
import { findLimitFor } from "../../limiter/limit-for.js"
import type { LimitChoice, NamedLimit, NamedLimits } from "../../limiter/named-limits.js"
import { parseDuration, parseDurationUnit } from "../../policy/parse-duration.js"
import { parsePolicy } from "../../policy/parse-policy.js"
import type { PolicyInput, RuleInput } from "../../policy/policy.js"
import { MAX_UNITS } from "../../policy/policy-range.js"
import { LimitNotFound, show } from "../../types/errors.js"
import { jsonAnswer, statusJson } from "../answers.js"
import type { ApiContext } from "../api-context.js"
import { duration, key, limitName, policy, ruleName, ruleOptions, status, units1 } from "../fields.js"
import { RequestError } from "../request-error.js"
import { defineRoute, jsonOf } from "../route.js"
import {
  anyOf,
  arrayOf,
  component,
  digits,
  flag,
  type JsonSchema,
  nullable,
  object,
  optional,
  type Read,
  text,
} from "../schema.js"
import { withNameIfFits } from "../told-limit.js"

const MAX_LISTED = 1_000
/** Statuses asked for at the same time. */
const MAX_CALLS = 8

/** A limit that is told by some fields has these, and none of the others that tell one. */
function toldBy(required: readonly string[], others: readonly string[], types: JsonSchema = {}): JsonSchema {
  return { required, properties: { ...Object.fromEntries(others.map((field) => [field, false])), ...types } }
}

/** A policy in short form or of rules says these itself. */
const RULE_OPTIONS = Object.keys(ruleOptions)

const definition = object(
  {
    key: optional(key),
    name: optional(ruleName),
    rate: optional(
      anyOf(units1, text({ minLength: 1, maxLength: 1_024 }), {
        allowed: `a whole number from 1 to ${MAX_UNITS}, or a short form such as "100/minute"`,
      }),
    ),
    per: optional(duration),
    limit: optional(units1),
    period: optional(duration),
    ...ruleOptions,
    policy: optional(policy),
  },
  {
    description:
      "Either `key`, whose own limit it is, or `name`, a limit that many keys share; and either `rate` with `per`, `limit` with `period`, or `policy`.",
    allOf: [
      { oneOf: [{ required: ["key"] }, { required: ["name"] }] },
      {
        oneOf: [
          toldBy(["rate", "per"], ["limit", "period", "policy"], { rate: { type: "integer" } }),
          toldBy(["rate"], ["per", "limit", "period", "policy", ...RULE_OPTIONS], { rate: { type: "string" } }),
          toldBy(["limit", "period"], ["rate", "per", "policy"]),
          toldBy(["policy"], ["rate", "per", "limit", "period", ...RULE_OPTIONS]),
        ],
      },
    ],
  },
)

/** The key's or limit's name, and what its policy is to be. */
function readDefinition(body: Read<typeof definition>): { name: string; policy: PolicyInput } {
  const { key: ofKey, name, rate, per, limit, period, policy: whole, ...rest } = body
  if ((ofKey === undefined) === (name === undefined)) throw refused({ key: ofKey, name }, "either a key or a name")
  if ([rate, limit, whole].filter((source) => source !== undefined).length !== 1) {
    throw refused({ rate, limit, policy: whole }, "one of rate, limit and policy")
  }
  const isText = whole !== undefined || typeof rate === "string"
  if (isText && (per ?? period ?? Object.values(rest)[0]) !== undefined) {
    throw refused({ per, period, ...rest }, "none of these: a policy in short form or of rules says all")
  }
  if ((rate === undefined && per !== undefined) || (limit === undefined && period !== undefined)) {
    throw refused({ rate, per, limit, period }, "rate with per, or limit with period")
  }
  const periodMs = () => (rate === undefined ? readPeriod("period", period) : readPeriod("per", per))
  const input = isText
    ? ((whole ?? rate) as PolicyInput)
    : ({ ...rest, limit: rate ?? limit, period: periodMs() } as RuleInput)
  const parsed = parsePolicy(input)
  return name === undefined ? { name: ofKey!, policy: parsed } : { name, policy: withNameIfFits(parsed, name) }
}

/** The error of fields that cannot be together, or are missing: tells those that were given. */
function refused(fields: Readonly<Record<string, unknown>>, allowed: string): RequestError {
  const given = Object.entries(fields).filter(([, value]) => value !== undefined)
  const told = given.map(([field, value]) => `${field} is ${show(value)}`).join(" and ")
  const missing = `none of ${Object.keys(fields).join(", ")} is given`
  return new RequestError(400, `Cannot define a limit: ${told || missing}, allowed is ${allowed}.`)
}

/** A unit alone, as in `per: "minute"`, is one of it. @throws {PolicyError} in the request's own name for the field */
function readPeriod(field: "per" | "period", period: string | number | undefined): number {
  const isUnit = typeof period === "string" && /^[A-Za-z]+$/.test(period)
  return isUnit ? parseDurationUnit(field, period, period) : parseDuration(field, period)
}

/**
 * A key's status, or `null` where no limit is there for it.
 *
 * @throws {LimitNotFound} that tells what is there by that name instead: a group
 */
async function statusOf(context: ApiContext, of: string, choice: LimitChoice) {
  const { limits, clock, fixedNames, givenNames } = context
  try {
    const [state, stats] = await Promise.all([limits.status(of, choice), limits.stats(of, choice)])
    const limit = await findLimitFor((name) => limits.limit(name), of, choice)
    // Removed meanwhile.
    if (limit === null) return null
    const told = statusJson(state, stats, limit, clock.now())
    if (fixedNames.has(limit.name)) return { ...told, fixed: true }
    return givenNames.has(limit.name) ? { ...told, configured: true } : told
  } catch (error) {
    if (error instanceof LimitNotFound && error.known === undefined) return null
    throw error
  }
}

export const list = defineRoute({
  method: "GET",
  path: "/v1/limits",
  id: "listLimits",
  summary: "The statuses of configured limits, in the order of their names.",
  query: object({
    after: optional(text({ description: "The last name of the page before.", maxLength: 512 })),
    count: optional(digits({ minimum: 0, maximum: MAX_LISTED })),
  }),
  answer: jsonOf(arrayOf(status), `At most ${MAX_LISTED}; a \`Link\` header leads to the next page.`),
  async handle(context, { query }) {
    const { count = MAX_LISTED, after } = query
    const found = await context.limits.limits({ count: count + 1, ...(after !== undefined && { after }) })
    const shown = found.slice(0, count)
    const statuses = await inParallel(shown, MAX_CALLS, ({ name }) => statusOf(context, name, {}))
    // Where none was asked for, none is the last, and nothing leads on from it.
    const next =
      count > 0 && found.length > count
        ? `</v1/limits?count=${count}&after=${encodeURIComponent(shown.at(-1)!.name)}>; rel="next"`
        : null
    // One that was removed meanwhile has no status.
    return jsonAnswer(
      statuses.filter((each) => each !== null),
      next === null ? undefined : { Link: next },
    )
  },
})

export const define = defineRoute({
  method: "POST",
  path: "/v1/limits",
  id: "defineLimit",
  summary: "Configure a key, or a named limit. A changed policy keeps what was used.",
  body: definition,
  answer: jsonOf(status, "The status under the new policy."),
  async handle(context, { body }) {
    const { name, policy: input } = readDefinition(body)
    await context.limits.define(name, input)
    return jsonAnswer(await statusOf(context, name, {}))
  },
})

const statusAnswer = jsonOf(nullable(status), "The status, or null where no limit is there for the key.")
const removalAnswer = jsonOf(component("Removal", object({ ok: flag(), removed: flag() })), "Whether there was one.")

export const readStatus = defineRoute({
  method: "GET",
  path: "/v1/limits/{key}",
  id: "getStatus",
  summary: "The status of a key.",
  query: object({ limit: optional(limitName) }),
  answer: statusAnswer,
  handle: async (context, { key: of, query }) => jsonAnswer(await statusOf(context, of, query)),
})

export const postStatus = defineRoute({
  method: "POST",
  path: "/v1/status",
  id: "postStatus",
  summary: "The status of a key that is not to stand in a URL.",
  body: object({ key, limit: optional(limitName) }),
  answer: statusAnswer,
  handle: async (context, { body: { key: of, ...choice } }) => jsonAnswer(await statusOf(context, of, choice)),
})

async function remove(limits: NamedLimits, name: NamedLimit["name"]) {
  return jsonAnswer({ ok: true, removed: await limits.remove(name) })
}

export const removeLimit = defineRoute({
  method: "DELETE",
  path: "/v1/limits/{key}",
  id: "removeLimit",
  summary: "Forget a configured key or named limit, with its counts.",
  answer: removalAnswer,
  handle: ({ limits }, { key: name }) => remove(limits, name),
})

export const postRemove = defineRoute({
  method: "POST",
  path: "/v1/remove",
  id: "postRemove",
  summary: "Forget a configured key or named limit whose name is not to stand in a URL.",
  body: object({ key }),
  answer: removalAnswer,
  handle: ({ limits }, { body }) => remove(limits, body.key),
})
