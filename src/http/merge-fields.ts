type Fields = Readonly<Record<string, string>>
/** The value of a field that a response has already; neither a text nor a number where it has none. */
type Current = (name: string) => unknown

/**
 * The styles with room for one limit: the fields that tell its limit, what is left and the reset, and what goes with
 * them.
 */
const ROOM_FOR_ONE = [
  { numbers: ["X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"], beside: [] },
  { numbers: ["RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset"], beside: ["RateLimit-Policy"] },
  { numbers: ["RateLimit"], beside: ["RateLimit-Policy"] },
]

/** The fields that draft 11 writes as lists of items, and older drafts in a grammar of their own. */
const LISTS = ["RateLimit", "RateLimit-Policy"]

/** Three numbers: in a field each, or as draft-7 has them in one. */
const NUMBERS = /^(?:limit=)?\d+, (?:remaining=)?(\d+), (?:reset=)?(\d+)$/

/**
 * RateLimit fields for a response that may have those of another limiter: lists of items are added to, and a style with
 * room for one limit tells of the one that binds most.
 *
 * @returns the values to have, by the names of `fields`; without those of an older draft that items of draft 11 exclude
 */
export function mergeFields(fields: Fields, current: Current): Record<string, string> {
  const merged: Record<string, string> = {}
  const hasItems = LISTS.some((name) => isItemList(current(name)))
  // A limiter that fails tells its policy alone, and replaces nothing that is told of another limit.
  const keepsDraft7 = !fields["RateLimit"] && NUMBERS.test(`${current("RateLimit")}`)
  for (const [name, value] of Object.entries(fields)) {
    // A list of one grammar beside one of another could not be read together.
    if (LISTS.includes(name) && (isItemList(value) ? keepsDraft7 : hasItems)) continue
    merged[name] = mergeItems(current(name), value)
  }
  for (const { numbers, beside } of ROOM_FOR_ONE) {
    const own = [...numbers, ...beside].filter((name) => name in merged && !isItemList(merged[name]))
    if (own.length === 0 || !bindsMost(numbers, current, fields)) continue
    for (const name of own) merged[name] = String(current(name) ?? merged[name])
  }
  return merged
}

/** One field of two limiters. Where two styles write the same field, the newer one stands, which is that of items. */
export function mergeItems(before: unknown, value: string): string {
  if (!isItemList(before)) return value
  return isItemList(value) ? `${before}, ${value}` : (before as string)
}

/** Whether a field is a list of String items, as those of draft-11, to which more can be added. */
function isItemList(value: unknown): boolean {
  return typeof value === "string" && value.startsWith('"')
}

/** Whether what a response has already tells of a limit with less left than the one to add, or later full again. */
function bindsMost(numbers: readonly string[], current: Current, fields: Fields): boolean {
  const before = read(numbers, current)
  const own = read(numbers, (name) => fields[name])
  if (before === undefined || own === undefined) return before !== undefined
  return before.remaining < own.remaining || (before.remaining === own.remaining && before.reset > own.reset)
}

function read(numbers: readonly string[], fieldOf: Current) {
  const match = NUMBERS.exec(numbers.map(fieldOf).join(", "))
  return match === null ? undefined : { remaining: Number(match[1]), reset: Number(match[2]) }
}
