import { PolicyError } from "../types/errors.js"

/**
 * The own fields of a plain object, read once and without running any code of its author's.
 *
 * Getters, symbols, class instances and inherited fields are refused rather than ignored: each of them could make the
 * policy in force another one than its author reads in the source.
 *
 * @param field what an error calls the object
 * @param allowed what an error says the object should have been
 * @throws {PolicyError} where it is no plain object
 */
export function readFields(field: string, value: unknown, allowed: string): Map<string, unknown> {
  const fields = new Map<string, unknown>()
  let isPlain = false
  try {
    if (typeof value === "object" && value !== null && !Array.isArray(value) && hasPlainPrototype(value)) {
      isPlain = true
      for (const name of Reflect.ownKeys(value)) {
        const property = Reflect.getOwnPropertyDescriptor(value, name)
        if (typeof name === "symbol" || property === undefined || !("value" in property)) isPlain = false
        else fields.set(name, property.value)
      }
    }
  } catch {
    // A proxy whose traps throw, or a revoked one.
    isPlain = false
  }
  if (isPlain) return fields
  const isObject = typeof value === "object" && value !== null
  throw new PolicyError(field, value, isObject ? `${allowed}, as a plain object without getters` : allowed)
}

/**
 * The items of an array of at most `maxLength`, read once and without running any code of its author's; `null` where
 * the value is no array.
 *
 * @throws {PolicyError} where the array is longer, or an item is missing or a getter
 */
export function readItems(field: string, value: unknown, maxLength: number): unknown[] | null {
  let length = 0
  let items: (PropertyDescriptor | undefined)[] = [undefined]
  try {
    if (!Array.isArray(value)) return null
    length = value.length
    if (length <= maxLength) {
      items = Array.from({ length }, (_, index) => Reflect.getOwnPropertyDescriptor(value, index))
    }
  } catch {
    // A proxy whose traps throw, or a revoked one: `items` still holds nothing that could be read.
  }
  // The length alone is shown, for a long array as text would cost more than the check.
  if (length > maxLength) throw new PolicyError(`${field}.length`, length, `at most ${maxLength}`)
  return items.map((item) => {
    if (item !== undefined && "value" in item) return item.value
    throw new PolicyError(field, value, "an array whose items are values, without holes and getters")
  })
}

/** Whether `actual` is plain data with exactly the fields, items and values of `expected`, itself plain data. */
export function isSameData(expected: unknown, actual: unknown): boolean {
  if (typeof expected !== "object" || expected === null) return Object.is(expected, actual)
  try {
    if (Array.isArray(expected)) {
      const items = readItems("copy", actual, expected.length)
      return items?.length === expected.length && expected.every((item, index) => isSameData(item, items[index]))
    }
    const fields = readFields("copy", actual, "a copy")
    const entries = Object.entries(expected)
    return fields.size === entries.length && entries.every(([name, value]) => isSameData(value, fields.get(name)))
  } catch (error) {
    if (error instanceof PolicyError) return false
    throw error
  }
}

/** A root prototype of any realm, or none: an object of another worker or `vm` context is as plain as ours. */
function hasPlainPrototype(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype === null || prototype === Object.prototype) return true
  return Object.getPrototypeOf(prototype) === null && Object.hasOwn(prototype as object, "hasOwnProperty")
}
