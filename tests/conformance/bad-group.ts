import type { ErrorFields } from "./assert.js"

/** The error of so many checks that cannot be decided together: every limiter says the same. */
export function badSize(count: number): ErrorFields {
  return {
    name: "RangeError",
    message: `Cannot check all: items.length is ${count}, allowed is a whole number from 1 to 1000.`,
  }
}

/** The error of the key `"a"` that comes twice. */
export const TWICE: ErrorFields = {
  name: "RangeError",
  message: 'Cannot check all: key "a" comes twice under the same limit, allowed is once.',
}

/** So many checks, each of another key. */
export function keysOf(count: number): { readonly key: string }[] {
  return Array.from({ length: count }, (_, index) => ({ key: `key ${index}` }))
}
