/**
 * An answer as it was read, where nothing is missing in it.
 *
 * @param numbers the fields that are numbers, or `null` where there is none
 * @throws {TypeError}
 */
export function complete<T extends object>(answer: T, numbers: readonly (keyof T)[] = []): T {
  for (const [name, value] of Object.entries(answer)) {
    if (value === undefined || Number.isNaN(value)) throw new TypeError(`${name} is missing`)
  }
  for (const name of numbers) {
    const value = answer[name]
    if (value !== null && typeof value !== "number") throw new TypeError(`${String(name)} is no number`)
  }
  return answer
}

/** A text of an answer. @throws {TypeError} where it is none */
export function text(value: string): string {
  if (typeof value !== "string") throw new TypeError("a text is none")
  return value
}
