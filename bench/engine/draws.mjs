// Which key each check asks about: made once per run, so that every contender sees the same sequence.

/** Draws in a sequence; a workload that needs more starts over. A power of two. */
const DRAW_COUNT = 2 ** 21
/** YCSB's skew: of a million keys, the most popular one gets 6.5 % of all checks. */
const ZIPF_EXPONENT = 0.99
/**
 * Prime to every number of keys here: spreads neighbouring ranks over the keys, as arrival order does not follow rank.
 */
const SPREAD = 387_420_489

/** A small fast generator of 32 random bits with a fixed start (Marsaglia's xorshift32): runs are repeatable. */
function generator(seed) {
  let state = seed
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return state >>> 0
  }
}

/** Every key as likely as every other. */
export function uniformDraws(keys) {
  const next = generator(0x9e3779b9)
  return Int32Array.from({ length: DRAW_COUNT }, () => Math.floor((next() / 2 ** 32) * keys))
}

/** The key of rank r drawn in proportion to r^−0.99, by inverting the cumulated weights. */
export function zipfDraws(keys) {
  const cumulated = new Float64Array(keys)
  let total = 0
  for (let rank = 0; rank < keys; rank++) {
    total += (rank + 1) ** -ZIPF_EXPONENT
    cumulated[rank] = total
  }
  const next = generator(0x85ebca6b)
  const draw = () => {
    const wanted = (next() / 2 ** 32) * total
    let [low, high] = [0, keys - 1]
    while (low < high) {
      const middle = (low + high) >>> 1
      if (cumulated[middle] <= wanted) low = middle + 1
      else high = middle
    }
    return (low * SPREAD) % keys
  }
  return Int32Array.from({ length: DRAW_COUNT }, draw)
}
