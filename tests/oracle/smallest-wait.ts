/**
 * The definition of a wait, as a check on a formula: `passes` must hold after `wait` and not one millisecond
 * sooner. Since quotas only free up with time, a wait with both properties is the smallest one.
 *
 * @throws {Error} where the formula is wrong, which is a bug of the oracle
 */
export function provenWait(wait: bigint, passes: (wait: bigint) => boolean): bigint {
  if (wait < 0n || !passes(wait) || (wait > 0n && passes(wait - 1n))) {
    throw new Error(`The oracle is wrong: ${wait} ms is not the smallest wait.`)
  }
  return wait
}

/**
 * The smallest wait of at most `horizon` after which `passes` holds, found by bisection and by nothing else.
 *
 * @throws {Error} where `passes` does not hold at the horizon, which is a bug of the oracle
 */
export function searchWait(horizon: bigint, passes: (wait: bigint) => boolean): bigint {
  if (passes(0n)) return 0n
  if (!passes(horizon)) throw new Error(`The oracle is wrong: nothing passes within ${horizon} ms.`)
  let denied = 0n
  let admitted = horizon
  while (admitted - denied > 1n) {
    const middle = (denied + admitted) / 2n
    if (passes(middle)) admitted = middle
    else denied = middle
  }
  return admitted
}
