/** What `mulDiv` left over: a·b − ⌊a·b/d⌋·d, 0 ≤ remainder < d. */
export let remainder: i64 = 0

/**
 * ⌊a·b/d⌋, exact although a·b may need more than 64 bits.
 *
 * The quotient is estimated in f64 (relative error below 2⁻⁵¹) and corrected by its remainder, which is small
 * and therefore exact modulo 2⁶⁴. Needs 0 ≤ a, b < 2⁵³, 0 < d < 2⁵³ and a quotient below 2⁵⁰.
 */
export function mulDiv(a: i64, b: i64, d: i64): i64 {
  let quotient = <i64>((<f64>a * <f64>b) / <f64>d)
  let rest = a * b - quotient * d
  if (rest < 0) {
    quotient -= 1
    rest += d
  } else if (rest >= d) {
    quotient += 1
    rest -= d
  }
  remainder = rest
  return quotient
}

/** ⌈a·b/d⌉, under the conditions of `mulDiv`. */
export function mulDivUp(a: i64, b: i64, d: i64): i64 {
  const quotient = mulDiv(a, b, d)
  return remainder > 0 ? quotient + 1 : quotient
}

/** ⌈a/d⌉ for a ≥ 0, d > 0. */
// @ts-ignore: decorator
@inline
export function divUp(a: i64, d: i64): i64 {
  return (a + d - 1) / d
}
