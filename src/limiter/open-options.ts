import { show } from "../types/errors.js"

/** @throws {RangeError} where an option is not one */
export function requireFields(options: object, allowed: readonly string[]): void {
  for (const field of Object.keys(options)) {
    if (allowed.includes(field)) continue
    throw new RangeError(`Cannot open a limiter: ${show(field)} is no option, allowed are ${allowed.join(", ")}.`)
  }
}

/** @throws {RangeError} where an option is none of its values */
export function requireChoice(option: string, value: unknown, allowed: readonly unknown[]): void {
  if (allowed.includes(value)) return
  throw new RangeError(
    `Cannot open a limiter: ${option} is ${show(value)}, allowed is ${allowed.map(String).join(" or ")}.`,
  )
}

/** @throws {RangeError} where an option is given that is no whole number in range */
export function requireWhole(option: string, value: unknown, least: number, most: number): void {
  if (
    value === undefined ||
    (typeof value === "number" && Number.isInteger(value) && value >= least && value <= most)
  ) {
    return
  }
  throw new RangeError(`Cannot open a limiter: ${option} is ${show(value)}, allowed is ${least} to ${most}.`)
}
