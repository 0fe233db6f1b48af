import { nearestNameHint } from "../lib/nearest-name.js"
import type { Algorithm } from "../types/algorithm.js"
import { PolicyError } from "../types/errors.js"
import { parseAlgorithmName } from "./algorithm-name.js"
import { fieldPath } from "./field-path.js"
import { parseDuration } from "./parse-duration.js"
import { readFields } from "./plain-data.js"
import type { Rule } from "./policy.js"
import { MAX_REFILL_TIME_MS, MAX_UNITS } from "./policy-range.js"
import { isWhole } from "./require-fields.js"
import { RULE_NAME, RULE_NAME_ALLOWED } from "./rule-name.js"

/** A rule that is valid by itself; its policy gives it a name and takes its block. */
export interface ParsedRule extends Omit<Rule, "name"> {
  /** `null` where the user gave none. */
  readonly name: string | null
  /** 0 where the user gave none. */
  readonly blockMs: number
}

type Fields = ReadonlyMap<string, unknown>

/** What a rule may say beside its name. */
export const RULE_FIELDS = ["limit", "period", "algorithm", "burst", "refill", "anchor", "offset", "block"] as const
const NAMED_RULE_FIELDS = [...RULE_FIELDS, "name"]
const REFILL_FIELDS = ["amount", "every"]

export const BURST_ALGORITHMS: readonly Algorithm[] = ["gcra", "token_bucket", "leaky_bucket"]

/**
 * Validates the fields of one rule. A field that is `undefined` counts as not given.
 *
 * @param at the rule's place in the policy, for errors
 * @param byDefault the algorithm where the rule names none
 * @throws {PolicyError} where a field is unknown, missing, out of range, or not for this algorithm
 */
export function parseRule(at: string, fields: Fields, byDefault: Algorithm): ParsedRule {
  refuseUnknownFields(fieldPath(at, "field"), fields, NAMED_RULE_FIELDS)
  const limit = parseUnits(fieldPath(at, "limit"), fields.get("limit"), MAX_UNITS)
  const periodMs = parseDuration(fieldPath(at, "period"), fields.get("period"))
  const named = fields.get("algorithm")
  const algorithm = parseAlgorithmName(fieldPath(at, "algorithm"), named === undefined ? byDefault : named)
  const capacity = parseBurst(fieldPath(at, "burst"), fields.get("burst"), algorithm, limit, periodMs)
  const anchor = parseAnchor(fieldPath(at, "anchor"), fields.get("anchor"), algorithm)
  return {
    name: parseName(fieldPath(at, "name"), fields.get("name")),
    algorithm,
    limit,
    periodMs,
    capacity,
    refill: parseRefill(fieldPath(at, "refill"), fields.get("refill"), { algorithm, limit, periodMs, capacity }),
    anchor,
    offsetMs: parseOffset(fieldPath(at, "offset"), fields.get("offset"), anchor, periodMs),
    blockMs: fields.get("block") === undefined ? 0 : parseDuration(fieldPath(at, "block"), fields.get("block")),
  }
}

/** @throws {PolicyError} naming the first field that is not among `known`, and the known one nearest to it */
export function refuseUnknownFields(path: string, fields: Fields, known: readonly string[]): void {
  for (const name of fields.keys()) {
    if (!known.includes(name)) {
      throw new PolicyError(path, name, `one of ${known.join(", ")}${nearestNameHint(name, known)}`)
    }
  }
}

function parseUnits(path: string, input: unknown, most: number): number {
  if (isWhole(input, 1, most)) return input
  throw new PolicyError(path, input, `a whole number from 1 to ${most}`)
}

function parseBurst(path: string, input: unknown, algorithm: Algorithm, limit: number, periodMs: number): number {
  if (input === undefined) return limit
  if (!BURST_ALGORITHMS.includes(algorithm)) {
    throw new PolicyError(path, input, `none with ${algorithm}: only ${BURST_ALGORITHMS.join(", ")} have a burst`)
  }
  const burst = parseUnits(path, input, MAX_UNITS)
  // ⌈burst·period / limit⌉ ≤ most  ⇔  burst ≤ ⌊most·limit / period⌋, since most is a whole number.
  const mostBurst = (BigInt(MAX_REFILL_TIME_MS) * BigInt(limit)) / BigInt(periodMs)
  if (BigInt(burst) > mostBurst) {
    throw new PolicyError(path, burst, `at most ${mostBurst} at this rate, so that it refills within 2^45 ms`)
  }
  return burst
}

function parseRefill(
  path: string,
  input: unknown,
  rule: Pick<Rule, "algorithm" | "limit" | "periodMs" | "capacity">,
): Rule["refill"] {
  if (input === undefined) return null
  const { algorithm, limit, periodMs, capacity } = rule
  if (algorithm !== "token_bucket") {
    throw new PolicyError(path, input, `none with ${algorithm}: only token_bucket has a refill`)
  }
  if (input === "continuous") return null
  const fields = readFields(path, input, '"continuous" or { amount, every }')
  refuseUnknownFields(`${path}.field`, fields, REFILL_FIELDS)
  const amount = parseUnits(`${path}.amount`, fields.get("amount"), capacity)
  const everyMs = parseDuration(`${path}.every`, fields.get("every"))
  if (BigInt(amount) * BigInt(periodMs) !== BigInt(limit) * BigInt(everyMs)) {
    throw new PolicyError(path, input, `a refill at the policy's rate, which is ${limit} per ${periodMs} ms`)
  }
  return { amount, everyMs }
}

function parseAnchor(path: string, input: unknown, algorithm: Algorithm): Rule["anchor"] {
  if (algorithm !== "fixed_window") {
    if (input === undefined) return null
    throw new PolicyError(path, input, `none with ${algorithm}: only fixed_window has an anchor`)
  }
  if (input === undefined || input === "epoch") return "epoch"
  if (input === "first") return "first"
  throw new PolicyError(path, input, 'one of "epoch", "first"')
}

function parseOffset(path: string, input: unknown, anchor: Rule["anchor"], periodMs: number): number {
  if (input === undefined) return 0
  if (anchor !== "epoch") {
    throw new PolicyError(path, input, 'none here: only fixed_window with anchor "epoch" has an offset')
  }
  return parseDuration(path, input, { minMs: 0, maxMs: periodMs - 1 })
}

function parseName(path: string, input: unknown): string | null {
  if (input === undefined) return null
  if (typeof input === "string" && RULE_NAME.test(input)) return input
  throw new PolicyError(path, input, RULE_NAME_ALLOWED)
}
