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

/** Copies the columns that `checkMany` of the core wrote at `pointer`, `bytes` in all: one copy, seen by columns. */
export function readDecisions(buffer: ArrayBuffer, pointer: number, count: number, bytes: number): Decisions {
  const own = buffer.slice(pointer, pointer + bytes)
  return {
    allowed: new Uint8Array(own, count * 20, count),
    remaining: new Uint32Array(own, count * 16, count),
    retryAfterMs: new Float64Array(own, 0, count),
    resetAfterMs: new Float64Array(own, count * 8, count),
  }
}
