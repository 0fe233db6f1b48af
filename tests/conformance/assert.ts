/*
 * The few assertions that the suites need, so that they run on any runtime without a test framework.
 */

/** @throws {Error} where `condition` does not hold */
export function isTrue(condition: boolean, what: string): void {
  if (!condition) throw new Error(`Expected ${what}.`)
}

/** Compares deeply: primitives by `Object.is`, arrays and objects by their own enumerable fields. */
export function same(actual: unknown, expected: unknown, what = "the value"): void {
  if (!isSame(actual, expected)) throw new Error(`Expected ${what} to be ${text(expected)}, it is ${text(actual)}.`)
}

/** Compares the fields that `expected` names, each as `same` does; getters count, other fields may be anything. */
export function has(actual: object, expected: Readonly<Record<string, unknown>>, what = "the object"): void {
  for (const [field, value] of Object.entries(expected)) {
    same((actual as Record<string, unknown>)[field], value, `${field} of ${what}`)
  }
}

/** What an error must be: the name of its class, and any of its fields. */
export interface ErrorFields {
  readonly name: string
  readonly [field: string]: unknown
}

/**
 * Calls, and expects an error with these fields; `name` tells its class, since a runtime may hold several copies of it.
 *
 * @param call may throw at once or return a promise that rejects
 */
export async function throws(call: () => unknown, expected: ErrorFields): Promise<void> {
  let result: unknown
  try {
    result = await call()
  } catch (error) {
    if (!(error instanceof Error)) throw new Error(`Expected an error, ${text(error)} was thrown.`)
    has(error, expected, `the error ${text(String(error))}`)
    return
  }
  throw new Error(`Expected ${text(expected.name)}, ${text(result)} was returned.`)
}

function isSame(actual: unknown, expected: unknown): boolean {
  if (typeof actual !== "object" || typeof expected !== "object" || actual === null || expected === null) {
    return Object.is(actual, expected)
  }
  if (Array.isArray(actual) !== Array.isArray(expected)) return false
  const fields = Object.keys(expected)
  if (fields.length !== Object.keys(actual).length) return false
  return fields.every((field) => {
    return (
      Object.hasOwn(actual, field) &&
      isSame((actual as Record<string, unknown>)[field], (expected as Record<string, unknown>)[field])
    )
  })
}

function text(value: unknown): string {
  if (Object.is(value, -0)) return "-0"
  if (typeof value === "bigint") return `${value}n`
  if (typeof value === "object" && value !== null) return JSON.stringify(value)
  return typeof value === "string" ? JSON.stringify(value) : String(value)
}
