/** Random numbers that a seed repeats: xorshift128 (Marsaglia 2003). */
export class Random {
  readonly #state: Uint32Array

  /** @param seed any whole number; the same one gives the same numbers */
  constructor(seed: number) {
    this.#state = Uint32Array.of(seed, 0x9e3779b9, 0x243f6a88, 0xb7e15162)
    for (let i = 0; i < 16; i++) this.next()
  }

  /** A whole number from 0 to 2^32 − 1. */
  next(): number {
    const state = this.#state
    let t = state[3]!
    const s = state[0]!
    state.copyWithin(1, 0, 3)
    t ^= t << 11
    t ^= t >>> 8
    state[0] = t ^ s ^ (s >>> 19)
    return state[0]!
  }

  /** A whole number from 0 to `end` − 1; `end` at most 2^32. */
  below(end: number): number {
    return Math.floor((this.next() / 2 ** 32) * end)
  }

  /** One of `values`. */
  pick<T>(values: readonly T[]): T {
    return values[this.below(values.length)]!
  }
}

const { SLUICE_ENGINE_SEED } = process.env

/** A seed for this run, or the one to repeat: `SLUICE_ENGINE_SEED=<seed> npx vitest run tests/engine`. */
export const SEED = Number(SLUICE_ENGINE_SEED ?? Math.floor(Math.random() * 2 ** 31))
