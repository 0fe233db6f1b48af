import { BoundedMap } from "../lib/bounded-map.js"
import type { Algorithm } from "../types/algorithm.js"
import { PolicyError, show } from "../types/errors.js"
import { makePolicy } from "./make-policy.js"
import { parseRule, refuseUnknownFields } from "./parse-rule.js"
import { parseShortRule } from "./parse-short-rule.js"
import { isSameData, readFields, readItems } from "./plain-data.js"
import type { Policy, PolicyInput } from "./policy.js"
import { parsePolicyJson, refuseLossyJson } from "./policy-json.js"
import { MAX_RULES, MAX_TEXT_LENGTH } from "./policy-range.js"

/** A rule before its validation: the text of one rule in short form, or the fields of an object. */
type RuleSource = string | ReadonlyMap<string, unknown>

const ALLOWED_INPUT = 'a short form such as "100/minute", a rule, an array of them, or a policy'
const ALLOWED_RULE = 'a short form such as "100/minute", or a rule'
const POLICY_FIELDS = ["name", "rules", "blockMs", "canonical", "limitName"] as const

/** No lone surrogate is in a name that a limit can have. */
const LIMIT_NAME = /^\P{Cs}{1,512}$/u

/** The policies that this module made: valid and frozen, so they need no second look. */
const madePolicies = new WeakSet<object>()

/** Policies by the text they came from, oldest first: at most 256 texts of at most 1,024 characters. */
const policyByText = new BoundedMap<string, Policy>(256)
const MAX_CACHED_LENGTH = 1_024

/**
 * Validates what a user says of a limit, once, into whole numbers.
 *
 * The input is a rule object, a short form, an array that mixes both (each text may be a list), the `canonical` text of
 * a policy or other JSON of a rule or an array, or a policy. A policy has 1 to 8 rules. Short forms follow
 *
 * ```text
 * policy = rule { ( ";" | "," ) rule }
 * rule   = limit "/" period { option }              100/minute
 * limit  = digits                                   1 to 2147483648
 * period = unit | digits unit                       second, 15m, "15 minutes"; units as in `parseDuration`
 * option = "burst" digits | algorithm | "as" name   each at most once, in any order
 * name   = a word without white space, quotes, backslashes, ";" and ","
 * ```
 *
 * with white space between words and, as one likes, around `/` and the separators. A text has at most 16,384
 * characters. The texts last seen are remembered (at most 256 of at most 1,024 characters each), so that a policy
 * chosen per request costs a look-up and is the same object each time.
 *
 * **Names.** A rule's name is 1 to 64 printable ASCII characters without a space at either end, unique in the policy.
 * An only rule without a name is `"default"`. Of several, an unnamed one is named after its rate, such as
 * `"10-per-1s"`, with `"-2"`, `"-3"` … appended where that is taken. The policy's name is its rules' names joined by
 * `"+"`: printable ASCII too, at most 519 characters.
 *
 * **Block.** A key is blocked as a whole, so a policy has one block: the longest of its rules' blocks.
 *
 * **Ranges.** Limit and burst 1 … 2^31; period, refill step and block 1 ms … 10 years; `⌈burst·period / limit⌉`, the
 * time in which an empty burst refills, at most 2^45 ms. A step refill must be exactly the policy's rate,
 * `amount·period = limit·every`. Nothing is rounded.
 *
 * @returns a deeply frozen policy. One that `parsePolicy` made is returned as it is; a copy of one, from
 * `structuredClone` or JSON say, is read from its `canonical` text and must agree with it in every field.
 * @throws {PolicyError} where anything is wrong; `field` is such as `"limit"`, or `"rules[1].limit"` where there are
 * several rules
 * @example
 * ```ts
 * import { parsePolicy } from "sluice"
 *
 * parsePolicy("100/minute").rules[0].periodMs // 60_000
 * parsePolicy("10/second; 1000/hour").name // "10-per-1s+1000-per-1h"
 * parsePolicy("100/minute sliding_window as api").rules[0].algorithm // "sliding_window"
 * parsePolicy({ limit: 5, period: "1m", algorithm: "fixed_window", block: "15m" }).blockMs // 900_000
 * ```
 */
export function parsePolicy(input: PolicyInput): Policy {
  if (typeof input !== "string") return parseValue(input, "gcra")
  const known = policyByText.get(input)
  if (known !== undefined) return known
  const policy = parseText(input, "gcra")
  if (input.length <= MAX_CACHED_LENGTH) policyByText.set(input, policy)
  return policy
}

/** `parsePolicy` where rules that name no algorithm have another one than `gcra`. */
export function parsePolicyWith(input: PolicyInput, algorithm: Algorithm): Policy {
  return typeof input === "string" ? parseText(input, algorithm) : parseValue(input, algorithm)
}

function parseText(text: string, algorithm: Algorithm): Policy {
  refuseLongText(text)
  if (!/^\s*[[{]/.test(text)) return parseSources(splitShortForm(text), algorithm)
  const value = parsePolicyJson(text)
  const policy = parseValue(value, algorithm)
  refuseLossyJson(text, value)
  return policy
}

function parseValue(value: unknown, algorithm: Algorithm): Policy {
  if (isMadePolicy(value)) return value
  const items = readItems("rules", value, MAX_RULES)
  if (items !== null) {
    const sources: RuleSource[] = []
    for (const item of items) {
      if (typeof item === "string") sources.push(...splitShortForm(item))
      else sources.push(readFields(`rules[${sources.length}]`, item, ALLOWED_RULE))
    }
    return parseSources(sources, algorithm)
  }
  const fields = readFields("policy", value, ALLOWED_INPUT)
  return fields.has("canonical") ? parseCopy(fields) : parseSources([fields], algorithm)
}

function parseSources(sources: readonly RuleSource[], algorithm: Algorithm): Policy {
  if (sources.length < 1 || sources.length > MAX_RULES) {
    throw new PolicyError("rules.length", sources.length, `1 to ${MAX_RULES}`)
  }
  const [first, ...others] = sources.map((source, index) => {
    const at = sources.length === 1 ? "" : `rules[${index}]`
    return parseRule(at, typeof source === "string" ? parseShortRule(at, source) : source, algorithm)
  })
  const policy = makePolicy([first!, ...others])
  madePolicies.add(policy)
  return policy
}

/** A copy is worth what its canonical text is worth, for the limit that it names; the rest may only repeat that. */
function parseCopy(fields: ReadonlyMap<string, unknown>): Policy {
  refuseUnknownFields("field", fields, POLICY_FIELDS)
  const text = fields.get("canonical")
  if (typeof text !== "string") throw new PolicyError("canonical", text, "the canonical text of the policy")
  const limitName = fields.get("limitName")
  const said = parsePolicy(text)
  const policy = limitName === undefined ? said : policyOfLimit(said, requireLimitName(limitName))
  for (const field of POLICY_FIELDS) {
    if (!isSameData(policy[field], fields.get(field))) {
      throw new PolicyError(field, fields.get(field), `${show(policy[field])}, as the policy's canonical text says`)
    }
  }
  return policy
}

/** @throws {PolicyError} where no limit can have such a name */
function requireLimitName(name: unknown): string {
  if (typeof name === "string" && LIMIT_NAME.test(name)) return name
  throw new PolicyError("limitName", name, "1 to 512 well-formed characters")
}

/** The same policy for a limit of this name. */
export function policyOfLimit(policy: Policy, limitName: string): Policy {
  const copy = Object.freeze({ ...policy, limitName })
  madePolicies.add(copy)
  return copy
}

function splitShortForm(text: string): string[] {
  refuseLongText(text)
  return text.split(/[;,]/).map((rule) => rule.trim())
}

function refuseLongText(text: string): void {
  if (text.length <= MAX_TEXT_LENGTH) return
  throw new PolicyError("policy", text, `a text of at most ${MAX_TEXT_LENGTH} characters`)
}

function isMadePolicy(value: unknown): value is Policy {
  return typeof value === "object" && value !== null && madePolicies.has(value)
}
