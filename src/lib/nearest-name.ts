/** More edits than this are another word, not a slip. */
const MAX_EDITS = 3

/**
 * The known name that `name` was most likely meant to be, or `null` when none is near.
 *
 * Near is an edit for each four characters of the known name after its first (rounded up, at most 3), where an edit
 * inserts, deletes or replaces a character or swaps two neighbours; case does not count. So nothing is near a name of
 * one character: `"brust"` is near `"burst"`, and `"rate"` near no field of a policy. Of equally near names the first
 * known one wins.
 */
export function nearestName(name: string, known: Iterable<string>): string | null {
  let nearest: string | null = null
  let fewestEdits = MAX_EDITS + 1
  for (const candidate of known) {
    const mostEdits = Math.min(MAX_EDITS, Math.ceil((candidate.length - 1) / 4))
    // The distance is never less than the difference in length, so a hostile long name costs nothing here.
    if (Math.abs(candidate.length - name.length) > mostEdits) continue
    const edits = countEdits(name.toLowerCase(), candidate.toLowerCase())
    if (edits <= mostEdits && edits < fewestEdits) {
      nearest = candidate
      fewestEdits = edits
    }
  }
  return nearest
}

/** `nearestName` as the end of an error's text: ` (did you mean "burst"?)`, or nothing, as for what is no text. */
export function nearestNameHint(name: unknown, known: Iterable<string>): string {
  const nearest = typeof name === "string" && nearestName(name, known)
  return nearest ? ` (did you mean ${JSON.stringify(nearest)}?)` : ""
}

/** Edit distance with swaps of neighbours (optimal string alignment), keeping the last three rows of its table. */
function countEdits(from: string, to: string): number {
  let beforePrevious: number[] = []
  let previous = Array.from({ length: to.length + 1 }, (_, column) => column)
  for (let row = 1; row <= from.length; row++) {
    const current = [row]
    for (let column = 1; column <= to.length; column++) {
      const replaces = from[row - 1] === to[column - 1] ? 0 : 1
      let edits = Math.min(previous[column]! + 1, current[column - 1]! + 1, previous[column - 1]! + replaces)
      if (row > 1 && column > 1 && from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1]) {
        edits = Math.min(edits, beforePrevious[column - 2]! + 1)
      }
      current.push(edits)
    }
    beforePrevious = previous
    previous = current
  }
  return previous[to.length]!
}
