/** An answer as it was read, where nothing is missing in it. @throws {TypeError} */
export function complete<T extends object>(answer: T): T {
  for (const [name, value] of Object.entries(answer)) {
    if (value === undefined || Number.isNaN(value)) throw new TypeError(`${name} is missing`)
  }
  return answer
}
