/**
 * The middle of `values`; of an even number of values, the mean of the middle two.
 *
 * @param {readonly number[]} values at least one
 */
export function median(values) {
  if (values.length === 0) throw new RangeError("Cannot take the median of no values.")
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

/**
 * Median and range.
 *
 * @param {readonly number[]} values at least one
 * @returns {{ median: number, minimum: number, maximum: number }}
 */
export function summarize(values) {
  return { median: median(values), minimum: Math.min(...values), maximum: Math.max(...values) }
}

/**
 * The smallest value that at least `share` of all values do not exceed (nearest rank, no interpolation).
 *
 * @param {ArrayLike<number>} sorted ascending, at least one
 * @param {number} share above 0, at most 1
 */
export function percentile(sorted, share) {
  if (sorted.length === 0) throw new RangeError("Cannot take a percentile of no values.")
  // 0.07 * 100 is 7.000000000000001: without the margin, rounding noise would move up a whole rank.
  const rank = Math.ceil(share * sorted.length - 1e-9)
  return sorted[Math.max(rank, 1) - 1]
}

/**
 * One side over the other, round by round, so that a machine that drifts between rounds moves both.
 *
 * @param {readonly number[]} numerators by round
 * @param {readonly number[]} denominators by round, as many
 */
export function ratioByRound(numerators, denominators) {
  if (numerators.length !== denominators.length) {
    throw new RangeError(`Cannot pair ${numerators.length} rounds with ${denominators.length}.`)
  }
  return numerators.map((value, round) => value / denominators[round])
}
