import { nearestNameHint } from "../policy/nearest-name.js"
import { show } from "../types/errors.js"

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

/** Checked elsewhere, by whoever reads it. */
export const READ_ELSEWHERE: Kind = { allowed: "", fits: () => true }
export const BOOLEAN: Kind = { allowed: "true or false", fits: (value) => typeof value === "boolean" }
export const TEXT: Kind = { allowed: "a text", fits: (value) => typeof value === "string" }
export const LIST: Kind = { allowed: "a list", fits: Array.isArray }
export const FUNCTION: Kind = { allowed: "a function", fits: (value) => typeof value === "function" }
export const CLOCK = having("now")

export function whole(minimum: number, maximum: number): Kind {
  return {
    allowed: `a whole number ${minimum} to ${maximum}`,
    fits: (value) => Number.isInteger(value) && (value as number) >= minimum && (value as number) <= maximum,
  }
}

export function oneOf(...values: readonly unknown[]): Kind {
  return { allowed: values.map(show).join(", "), fits: (value) => values.includes(value) }
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

export function required(kind: Kind): Kind {
  return { ...kind, isRequired: true }
}

/**
 * Refuses what cannot be, and names that there are not: a slip of the pen is never "no limit". What is `undefined` is
 * as if it were left out.
 *
 * @param act what cannot be done then, such as `"rate limit"`
 * @param path what stands before the name of a field, such as `"delay."`
 * @throws {RangeError} naming the field, its value and what is allowed
 */
export function checkFields<T extends object>(act: string, fields: T, kinds: Kinds<T>, path = ""): void {
  if (typeof fields !== "object" || fields === null || Array.isArray(fields)) {
    throw new RangeError(
      `Cannot ${act}: ${path.slice(0, -1) || "options"} is ${show(fields)}, allowed is an object with ${Object.keys(kinds).join(", ")}.`,
    )
  }
  for (const name of Object.keys(fields)) {
    if (Object.hasOwn(kinds, name)) continue
    const hint = nearestNameHint(name, Object.keys(kinds))
    throw new RangeError(`Cannot ${act}: there is no option ${show(`${path}${name}`)}${hint}.`)
  }
  for (const [name, { allowed, fits, isRequired = false }] of Object.entries<Kind>(kinds)) {
    const value: unknown = fields[name as keyof T]
    if (value === undefined ? isRequired : !fits(value)) {
      throw new RangeError(`Cannot ${act}: ${path}${name} is ${show(value)}, allowed is ${allowed}.`)
    }
  }
}
