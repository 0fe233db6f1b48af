import { PolicyError } from "../types/errors.js"

const STRINGS = /"(?:[^"\\]|\\.)*"/g

/**
 * Reads JSON text.
 *
 * @throws {PolicyError} where it is no JSON
 */
export function parsePolicyJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new PolicyError("policy", text, "JSON of a rule or of an array of rules, since it starts like JSON")
  }
}

/**
 * Refuses what `JSON.parse` changes without a word: a field given twice (it keeps the last) and a number that is not
 * written in whole digits (`1.0000000000000000001` becomes 1).
 *
 * To be called once `value` is known to be a valid policy, and so not deeply nested.
 *
 * @throws {PolicyError} where the text says more than the value
 */
export function refuseLossyJson(text: string, value: unknown): void {
  const withoutStrings = text.replace(STRINGS, "")
  if (/\d[.eE]/.test(withoutStrings)) {
    throw new PolicyError("policy", text, "JSON whose numbers are written in digits only")
  }
  // Outside strings, JSON has one colon per field.
  if (withoutStrings.split(":").length - 1 !== countFields(value)) {
    throw new PolicyError("policy", text, "JSON that gives each field once")
  }
}

function countFields(value: unknown): number {
  if (typeof value !== "object" || value === null) return 0
  const inner = Object.values(value).reduce<number>((count, field) => count + countFields(field), 0)
  return Array.isArray(value) ? inner : inner + Object.keys(value).length
}
