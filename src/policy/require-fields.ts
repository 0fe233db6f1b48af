import { nearestNameHint } from "../lib/nearest-name.js"
import { show } from "../types/errors.js"
import { MAX_UNITS } from "./policy-range.js"

/** What a field may be. */
export interface Kind {
  /** As an error says it after "allowed is". */
  readonly allowed: string
  fits(value: unknown): boolean
  /** Whether it must be there. */
  readonly isRequired?: boolean
}

/** Every field that there is, with what it may be. */
export type Kinds<T extends object> = { readonly [Name in keyof Required<T>]: Kind }

/** Left to whoever reads it. */
export const READ_ELSEWHERE: Kind = { allowed: "", fits: () => true }

export const TEXT: Kind = { allowed: "a text", fits: (value) => typeof value === "string" }
export const LIST: Kind = { allowed: "a list", fits: Array.isArray }
export const TEXTS: Kind = {
  allowed: "a list of texts",
  fits: (value) => Array.isArray(value) && value.every(TEXT.fits),
}
export const OBJECT: Kind = {
  allowed: "an object",
  fits: (value) => typeof value === "object" && value !== null && !Array.isArray(value),
}
export const BYTES: Kind = { allowed: "bytes", fits: (value) => value instanceof Uint8Array }
export const FUNCTION: Kind = { allowed: "a function", fits: (value) => typeof value === "function" }
/** What is no number is refused, NaN too. */
export const MILLISECONDS: Kind = { allowed: "a number of ms", fits: (value) => Number(value) === value }
export const CLOCK: Kind = {
  allowed: "an object with now()",
  fits: (value) => typeof (value as { now?: unknown } | null)?.now === "function",
}

export function whole(minimum: number, maximum: number): Kind {
  return { allowed: wholeText(minimum, maximum), fits: (value) => isWhole(value, minimum, maximum) }
}

function wholeText(minimum: number, maximum: number): string {
  return `a whole number from ${minimum} to ${maximum}`
}

/** Whether a value is a whole number in a range, both ends included. */
export function isWhole(value: unknown, minimum: number, maximum: number): value is number {
  return Number.isInteger(value) && (value as number) >= minimum && (value as number) <= maximum
}

export function oneOf(...values: readonly unknown[]): Kind {
  return { allowed: values.map(show).join(" or "), fits: (value) => values.includes(value) }
}

/** `true` or `false`. */
export function flag(): Kind {
  return oneOf(true, false)
}

/** An object with these methods. */
export function having(...methods: readonly string[]): Kind {
  return {
    allowed: `an object with ${methods.map((name) => `${name}()`).join(", ")}`,
    fits: (value) => methods.every((name) => typeof (value as Record<string, unknown> | null)?.[name] === "function"),
  }
}

export function either(first: Kind, second: Kind): Kind {
  return {
    allowed: `${first.allowed}, or ${second.allowed}`,
    fits: (value) => first.fits(value) || second.fits(value),
  }
}

/** Units, or what tells them. The capacity of the policy, which may be less, is looked at where the policy is known. */
export const COST: Kind = either(whole(0, MAX_UNITS), FUNCTION)

export function required(kind: Kind): Kind {
  return { ...kind, isRequired: true }
}

/**
 * Refuses bad values and unknown names: a misspelt option must not silently mean "no limit". A field that is
 * `undefined` counts as left out.
 *
 * @param act what cannot be done then, such as `"rate limit"`
 * @param path what stands before the name of a field, such as `"delay."`
 * @throws {RangeError} naming the field, its value and what is allowed
 */
export function requireFields<T extends object>(act: string, fields: T, kinds: Kinds<T>, path = ""): void {
  requireNames(act, fields, Object.keys(kinds), path)
  for (const [name, { allowed, fits, isRequired }] of Object.entries<Kind>(kinds)) {
    const value: unknown = fields[name as keyof T]
    if (value === undefined ? isRequired : !fits(value)) throw unfit(act, path + name, value, allowed)
  }
}

/**
 * Refuses unknown names, and options that are no object. It costs the number of names that are given and allocates
 * nothing while all is well, so that every call of a verb can afford it.
 *
 * @param path what stands before the name of a field, such as `"items[0]."`
 * @throws {RangeError} naming the option and those that there are
 */
export function requireNames(act: string, fields: object, names: readonly string[], path = ""): void {
  if (!OBJECT.fits(fields)) throw unfit(act, path.slice(0, -1) || "options", fields, OBJECT.allowed)
  for (const name in fields) {
    if (names.includes(name) || !Object.hasOwn(fields, name)) continue
    throw unfit(act, "option", path + name, `${names.join(", ") || "none"}${nearestNameHint(name, names)}`)
  }
}

/** @throws {RangeError} naming the field, its value and what is allowed */
export function requireKind(act: string, field: string, value: unknown, { allowed, fits }: Kind): void {
  if (!fits(value)) throw unfit(act, field, value, allowed)
}

/** @throws {RangeError} naming the field, its value and what is allowed */
export function requireWhole(act: string, field: string, value: unknown, minimum: number, maximum: number): void {
  if (!isWhole(value, minimum, maximum)) throw unfitWhole(act, field, value, minimum, maximum)
}

/** What `requireWhole` throws, for those who know already that the value is none. */
export function unfitWhole(act: string, field: string, value: unknown, minimum: number, maximum: number): RangeError {
  return unfit(act, field, value, wholeText(minimum, maximum))
}

/** The error of a field that cannot be, by the one grammar. */
export function unfit(act: string, field: string, value: unknown, allowed: string): RangeError {
  return new RangeError(`Cannot ${act}: ${field} is ${show(value)}, allowed is ${allowed}.`)
}
