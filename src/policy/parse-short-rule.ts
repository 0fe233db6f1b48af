import { nearestNameHint } from "../lib/nearest-name.js"
import { PolicyError } from "../types/errors.js"
import { ALGORITHM_NAMES } from "./algorithm-name.js"
import { fieldPath } from "./field-path.js"
import { parseDuration, parseDurationUnit } from "./parse-duration.js"
import { MAX_UNITS } from "./policy-range.js"

const DIGITS = /^\d+$/
const WHOLE_UNITS = `a whole number from 1 to ${MAX_UNITS} in digits`

/**
 * Reads one rule of a short form, such as `"100/15m burst 20 as api"`, into the fields that `parseRule` validates.
 * `parsePolicy` documents the grammar.
 *
 * @param at the rule's place in the policy, for errors
 * @throws {PolicyError} where the text does not follow the grammar
 */
export function parseShortRule(at: string, text: string): Map<string, unknown> {
  const slash = text.indexOf("/")
  if (slash === -1) {
    throw new PolicyError(fieldPath(at), text, 'a rate and its options, such as "100/minute" or "10/second burst 20"')
  }
  const limit = text.slice(0, slash).trim()
  const words = text
    .slice(slash + 1)
    .trim()
    .split(/\s+/)
  const fields = new Map<string, unknown>()
  fields.set("limit", parseDigits(fieldPath(at, "limit"), limit, algorithmHint(limit)))
  fields.set("period", takePeriod(fieldPath(at, "period"), words))
  while (words.length > 0) takeOption(at, words, fields)
  return fields
}

/** Takes `minute`, `15m`, or `15 minutes` off the words. */
function takePeriod(field: string, words: string[]): number {
  const word = words.shift()!
  if (/^[A-Za-z]/.test(word)) return parseDurationUnit(field, word, word)
  const isCountAlone = DIGITS.test(word) && words.length > 0
  return parseDuration(field, isCountAlone ? `${word} ${words.shift()}` : word)
}

/** Takes `burst N`, `as NAME` or an algorithm off the words. */
function takeOption(at: string, words: string[], fields: Map<string, unknown>): void {
  const word = words.shift()!
  if (word === "burst") {
    const field = fieldPath(at, "burst")
    setOnce(field, "burst", parseDigits(field, words.shift() ?? ""), fields)
  } else if (word === "as") {
    const field = fieldPath(at, "name")
    setOnce(field, "name", parseName(field, words.shift() ?? ""), fields)
  } else if (ALGORITHM_NAMES.includes(word)) {
    setOnce(fieldPath(at, "algorithm"), "algorithm", word, fields)
  } else {
    const hint = nearestNameHint(word, ["burst", "as", ...ALGORITHM_NAMES])
    throw new PolicyError(fieldPath(at, "option"), word, `"burst N", an algorithm or "as NAME"${hint}`)
  }
}

function setOnce(field: string, name: string, value: unknown, fields: Map<string, unknown>): void {
  if (fields.has(name))
    throw new PolicyError(field, value, `said once, and ${String(fields.get(name))} was said before`)
  fields.set(name, value)
}

/** For whoever names the algorithm first, as many other forms do. */
function algorithmHint(limit: string): string {
  const algorithm = limit.split(/\s/, 1)[0]!
  return ALGORITHM_NAMES.includes(algorithm) ? `; "${algorithm}" stands behind the period` : ""
}

function parseDigits(field: string, text: string, hint = ""): number {
  if (!DIGITS.test(text)) throw new PolicyError(field, text, WHOLE_UNITS + hint)
  // More than 2^53 loses digits here, but is out of range all the same.
  return Number(text)
}

function parseName(field: string, word: string): string {
  // Quotes would be taken for part of the name, which is never what is meant.
  if (word !== "" && !/["'`\\]/.test(word)) return word
  throw new PolicyError(field, word, "one word without quotes; a rule object can have any other name")
}
