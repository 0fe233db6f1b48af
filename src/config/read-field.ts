import { nearestNameHint } from "../lib/nearest-name.js"
import { parseDuration } from "../policy/parse-duration.js"
import { readFields, readItems } from "../policy/plain-data.js"
import { RULE_NAME, RULE_NAME_ALLOWED } from "../policy/rule-name.js"
import { PolicyError } from "../types/errors.js"
import { asConfigError, ConfigError } from "./config-error.js"
import type { Field } from "./field.js"
import { keyExtractorOf } from "./key-setting.js"

/** The environment, by name; whoever reads the configuration hands it in. */
export type Environment = Readonly<Record<string, string | undefined>>

const MAX_ITEMS = 10_000

/**
 * Reads a value as its field says it may be. Durations become milliseconds, named tables become maps; policies and keys
 * stay as they were written, to be read where they are used.
 *
 * @param path what an error calls the value
 * @throws {ConfigError}
 */
export function readField(field: Field, path: string, value: unknown, env: Environment): unknown {
  const set = field.env === undefined ? undefined : env[field.env]
  // An empty variable counts as none: that is how shells and deployments unset one.
  if (set !== undefined && set !== "") return readKind(field, field.env!, fromText(field, field.env!, set), env)
  const given = value === undefined ? field.fallback : value
  if (given === undefined && field.kind !== "table" && field.kind !== "named") return undefined
  return readKind(field, path, given, env)
}

/** What was written at a place in what `readField` has read, for an error to show. */
export function writtenAt(value: unknown, names: readonly string[]): unknown {
  return names.reduce((at, name) => (at as Readonly<Record<string, unknown>> | undefined)?.[name], value)
}

/** What the text of a variable says, for the kinds that are no text. */
function fromText(field: Field, path: string, text: string): unknown {
  if (field.kind === "flag") {
    if (/^(true|1|yes|on)$/i.test(text)) return true
    if (/^(false|0|no|off)$/i.test(text)) return false
    throw new ConfigError(path, text, "true or false")
  }
  if (field.kind === "whole" || field.kind === "share") return text.trim() === "" ? text : Number(text)
  return text
}

/** A choice as a file says it: numbers need no quotes. */
const written = (choice: string) => (/^\d+$/.test(choice) ? choice : JSON.stringify(choice))

function readKind(field: Field, path: string, value: unknown, env: Environment): unknown {
  switch (field.kind) {
    case "text":
      if (typeof value === "string" && field.pattern.test(value)) return value
      throw new ConfigError(path, value, field.allowed)
    case "choice": {
      const chosen = typeof value === "number" ? String(value) : value
      if (typeof chosen === "string" && field.of.includes(chosen)) return chosen
      const allowed = field.of.map(written).join(", ")
      throw new ConfigError(path, value, `one of ${allowed}${nearestNameHint(value, field.of)}`)
    }
    case "flag":
      if (typeof value === "boolean") return value
      throw new ConfigError(path, value, "true or false")
    case "whole": {
      const { min, max, unit } = field
      if (Number.isInteger(value) && (value as number) >= min && (value as number) <= max) return value
      throw new ConfigError(path, value, `a whole number${unit ? ` of ${unit}` : ""} from ${min} to ${max}`)
    }
    case "share":
      if (typeof value === "number" && value >= 0 && value <= 1) return value
      throw new ConfigError(path, value, "a number from 0 to 1")
    case "duration":
      return readDuration(field, path, value)
    case "policy":
      refuseBareDurations(path, value)
      return value
    case "key":
      keyExtractorOf(path, value, (...refused) => new ConfigError(...refused))
      return value
    case "list":
      return readList(field, path, value, env)
    case "table":
      return readTable(field, path, value, env)
    case "named":
      return readNamed(field, path, value, env)
  }
}

/** In a file a number might as well be seconds, which many limiters count in: a thousandth of what was meant. */
function refuseNumber(path: string, value: unknown): void {
  if (typeof value !== "number") return
  const isCount = Number.isSafeInteger(value) && value > 0
  const example = isCount ? `"${value}ms" or "${value}s"` : '"10s" or "15m"'
  throw new ConfigError(path, value, `a text with its unit, such as ${example}`)
}

/**
 * Refuses the durations without a unit of a policy that is a rule or a list; the rest of it is looked at by its reader.
 */
function refuseBareDurations(path: string, policy: unknown): void {
  const rules: readonly unknown[] = Array.isArray(policy) ? policy : [policy]
  for (const [index, rule] of rules.entries()) {
    const at = rules.length === 1 ? path : `${path}.rules[${index}]`
    for (const name of ["period", "offset", "block"]) refuseNumber(`${at}.${name}`, ownValue(rule, name))
    refuseNumber(`${at}.refill.every`, ownValue(ownValue(rule, "refill"), "every"))
  }
}

/** A field's value, without running any code of its author's. */
function ownValue(value: unknown, name: string): unknown {
  const isTable = typeof value === "object" && value !== null
  return isTable ? Object.getOwnPropertyDescriptor(value, name)?.value : undefined
}

function readDuration(field: Field & { readonly kind: "duration" }, path: string, value: unknown): number {
  refuseNumber(path, value)
  const { minMs, maxMs, multipleMs = 1 } = field
  const durationMs = orConfigError(() => parseDuration(path, value, { minMs, maxMs }))
  if (durationMs % multipleMs === 0) return durationMs
  throw new ConfigError(path, value, `a multiple of ${multipleMs} ms`)
}

function readList(field: Field & { readonly kind: "list" }, path: string, value: unknown, env: Environment): unknown[] {
  const items = orConfigError(() => readItems(path, value, MAX_ITEMS))
  if (items === null || items.length < field.minItems) {
    const { items: name, minItems } = field
    throw new ConfigError(path, value, `a list of ${name}${minItems === 0 ? "" : `, at least ${minItems}`}`)
  }
  return items.map((item, index) => readKind(field.of, `${path}[${index}]`, item, env))
}

function readTable(
  field: Field & { readonly kind: "table" },
  path: string,
  value: unknown,
  env: Environment,
): Record<string, unknown> {
  const known = Object.keys(field.fields)
  const short = field.short !== undefined && typeof value === "string" ? { [field.short]: value } : value
  const text = field.short === undefined ? "" : `a text, which is its ${field.short}, or `
  const given = fieldsOf(path, short === undefined ? {} : short, `${text}a table of ${known.join(", ")}`)
  for (const name of given.keys()) {
    if (known.includes(name)) continue
    const where = path === "" ? "a field" : `a field of ${path}`
    throw new ConfigError(where, name, `one of ${known.join(", ")}${nearestNameHint(name, known)}`)
  }
  const read: Record<string, unknown> = {}
  for (const name of known) {
    const at = path === "" ? name : `${path}.${name}`
    const item = readField(field.fields[name]!, at, given.get(name), env)
    // A table that was not given is there with its defaults only where it has some.
    const isEmpty = given.get(name) === undefined && isEmptyTable(item)
    if (item !== undefined && !isEmpty) read[name] = item
  }
  for (const name of field.required ?? []) {
    // Refuses, saying what it may be.
    if (read[name] === undefined && value !== undefined)
      readKind(field.fields[name]!, `${path}.${name}`, undefined, env)
  }
  return read
}

function isEmptyTable(value: unknown): boolean {
  return typeof value === "object" && value !== null && !(value instanceof Map) && Object.keys(value).length === 0
}

function readNamed(
  field: Field & { readonly kind: "named" },
  path: string,
  value: unknown,
  env: Environment,
): Map<string, unknown> {
  const read = new Map<string, unknown>()
  for (const [name, item] of fieldsOf(path, value === undefined ? {} : value, "a table of tables by name")) {
    if (!RULE_NAME.test(name)) throw new ConfigError(`a name in ${path}`, name, RULE_NAME_ALLOWED)
    read.set(name, readKind(field.of, `${path}.${name}`, item, env))
  }
  return read
}

function fieldsOf(path: string, value: unknown, allowed: string): Map<string, unknown> {
  return orConfigError(() => readFields(path === "" ? "the configuration" : path, value, allowed))
}

/** What the room of policies refuses, this one refuses in its own name. */
function orConfigError<T>(read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (error instanceof PolicyError) throw asConfigError(error)
    throw error
  }
}
