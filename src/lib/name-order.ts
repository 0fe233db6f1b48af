/**
 * Compares names by their code points, which is the order of their UTF-8 and so that of SQLite, for `sort`.
 * JavaScript's own goes by code units, which puts U+10000 and above before U+E000.
 */
export function inNameOrder(a: string, b: string): number {
  const length = Math.min(a.length, b.length)
  for (let at = 0; at < length; at++) {
    const [first, second] = [a.charCodeAt(at), b.charCodeAt(at)]
    if (first !== second) return rankOf(first) - rankOf(second)
  }
  return a.length - b.length
}

/** Where a code unit stands: a half of a pair after all that need none. */
function rankOf(unit: number): number {
  if (unit < 0xd800) return unit
  return unit < 0xe000 ? unit + 0x2000 : unit - 0x800
}
