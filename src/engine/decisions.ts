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

/** Copies the columns that `checkMany` of the core wrote at `pointer`. */
export function readDecisions(buffer: ArrayBufferLike, pointer: number, count: number): Decisions {
  const resets = pointer + count * 8
  const remaining = resets + count * 8
  const allowed = remaining + count * 4
  return {
    allowed: new Uint8Array(buffer, allowed, count).slice(),
    remaining: new Uint32Array(buffer, remaining, count).slice(),
    retryAfterMs: new Float64Array(buffer, pointer, count).slice(),
    resetAfterMs: new Float64Array(buffer, resets, count).slice(),
  }
}
