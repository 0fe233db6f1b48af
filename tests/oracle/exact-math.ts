/** Used units of a key in debt stop here. */
export const MAXIMUM_USED = 2n ** 32n - 1n

/** The furthest ahead that an arrival time may lie, in milliseconds. */
export const MAXIMUM_AHEAD_MS = 2n ** 46n

/** a / b rounded down, for b > 0. */
export function floorDiv(a: bigint, b: bigint): bigint {
  const quotient = a / b
  return a % b < 0n ? quotient - 1n : quotient
}

/** a / b rounded up, for b > 0. */
export function ceilDiv(a: bigint, b: bigint): bigint {
  const quotient = a / b
  return a % b > 0n ? quotient + 1n : quotient
}

export function max(a: bigint, b: bigint): bigint {
  return a > b ? a : b
}

export function min(a: bigint, b: bigint): bigint {
  return a < b ? a : b
}

/** The greatest common divisor of two positive integers. */
export function gcd(a: bigint, b: bigint): bigint {
  return b === 0n ? a : gcd(b, a % b)
}
