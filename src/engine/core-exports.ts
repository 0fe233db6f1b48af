import type * as core from "./core.wasm.js"

/**
 * What an instance of `core.wasm` exports: constants as a `WebAssembly.Global`, where an import of it has their values.
 */
export type CoreExports = {
  readonly [Name in Exclude<keyof typeof core, "default">]: (typeof core)[Name] extends number
    ? { readonly value: number }
    : (typeof core)[Name]
}

/** The ABI that this host speaks. */
export const ABI_VERSION = 1

/** Outcomes of `check`, `peek` and the other verbs. */
export const OUTCOME = {
  badArgument: -1,
  denied: 0,
  admitted: 1,
  blocked: 2,
  costAboveCapacity: 3,
  noRoom: 4,
} as const

/** Is added to the outcome of a `checkUnit` that is told in short. */
export const BRIEF = 8

/** The most bytes of a key. */
export const MAX_KEY_BYTES = 512
/** The latest time that the core computes with, in ms since the epoch: the year 6429. */
export const MAX_TIME_MS = 2 ** 47 - 1
