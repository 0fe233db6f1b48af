import { OBJECT, unfit } from "../policy/require-fields.js"

/** The answers to many checks, in columns: place i is the answer to check i. */
export interface Decisions {
  /** 1 where admitted, else 0. */
  readonly allowed: Uint8Array
  /** Units left after the decision; on a denial, what was there. */
  readonly remaining: Uint32Array
  /** 0 where admitted, else the smallest wait after which this check would pass, in ms. */
  readonly retryAfterMs: Float64Array
  /** Time until the quota is full, in ms. */
  readonly resetAfterMs: Float64Array
}

const COLUMNS = [
  ["allowed", Uint8Array],
  ["remaining", Uint32Array],
  ["retryAfterMs", Float64Array],
  ["resetAfterMs", Float64Array],
] as const satisfies readonly [keyof Decisions, unknown][]

/** @throws {RangeError} where a column of `into` is none, or has no place for so many answers */
export function requireRoom(into: Decisions, count: number): void {
  if (!OBJECT.fits(into)) throw unfit("check keys", "into", into, "the decisions of an earlier call")
  for (const [name, kind] of COLUMNS) {
    const column = into[name]
    if (!(column instanceof kind)) throw unfit("check keys", `into.${name}`, column, `a ${kind.name}`)
    if (column.length < count) throw unfit("check keys", `into.${name}.length`, column.length, `at least ${count}`)
  }
}

/** Copies the columns of an answer into longer ones. */
export function copyDecisions(told: Decisions, into: Decisions): Decisions {
  for (const [name] of COLUMNS) into[name].set(told[name])
  return into
}

/** The columns that `checkMany` of the core writes for `count` checks, each behind the one before. */
export function columnsAt(buffer: ArrayBuffer, at: number, count: number): Decisions {
  const retryAfterMs = new Float64Array(buffer, at, count)
  const resetAfterMs = new Float64Array(buffer, at + retryAfterMs.byteLength, count)
  const remaining = new Uint32Array(buffer, resetAfterMs.byteOffset + resetAfterMs.byteLength, count)
  const allowed = new Uint8Array(buffer, remaining.byteOffset + remaining.byteLength, count)
  return { allowed, remaining, retryAfterMs, resetAfterMs }
}
