import { parseHttpDate } from "./http-date.js"

/** What a response tells of one quota. */
export interface QuotaReadout {
  /** Sets several quotas of a response apart: an item's `id`, or the style where there is one quota. */
  readonly name: string
  /** Units left. */
  readonly remaining: number
  /** Time until the quota is full, or until this request would have passed, in ms. */
  readonly resetAfterMs: number
  /** Units of a full quota, where told. */
  readonly limit: number | null
}

/** What a response tells of its limits. */
export interface QuotaFields {
  /** Empty where none is told. */
  readonly quotas: readonly QuotaReadout[]
  /** How long to wait before the next request; `null` where not told. */
  readonly retryAfterMs: number | null
}

/** A number above this, in a field of seconds, is a time since the Unix epoch and no wait: some 31 years. */
const LEAST_EPOCH_SECONDS = 1_000_000_000

type Parameters = ReadonlyMap<string, string>
type Read = (headers: Headers, nowMs: number) => QuotaReadout[]

/** Newest first: the first style that a response has is the one that is read. */
const STYLES: readonly Read[] = [
  // draft-11: RateLimit: "default";r=50;t=30 and RateLimit-Policy: "default";q=100;w=60
  (headers) => {
    const policies = readItems(headers.get("RateLimit-Policy"))
    const byName = new Map(policies.map((each) => [each.name, each.parameters]))
    const byId = new Map(policies.map((each) => [each.id, each.parameters]))
    return readItems(headers.get("RateLimit")).flatMap(({ name, id, parameters }) => {
      const remaining = wholeOf(parameters.get("r"))
      if (remaining === null) return []
      const limit = wholeOf((byId.get(id) ?? byName.get(name))?.get("q"))
      return [{ name: id, remaining, resetAfterMs: (wholeOf(parameters.get("t")) ?? 0) * 1_000, limit }]
    })
  },
  // draft-7: RateLimit: limit=100, remaining=50, reset=30
  (headers) => {
    const members = readMembers(headers.get("RateLimit"))
    return one("draft-7", members.get("limit"), members.get("remaining"), wholeOf(members.get("reset")))
  },
  // draft-6: one field each
  (headers) => {
    const get = (name: string) => headers.get(`RateLimit-${name}`) ?? undefined
    return one("draft-6", get("Limit"), get("Remaining"), wholeOf(get("Reset")))
  },
  // X-RateLimit-*, whose reset is a wait or a time, as the sender likes
  (headers, nowMs) => {
    const get = (name: string) => headers.get(`X-RateLimit-${name}`) ?? undefined
    const reset = wholeOf(get("Reset"))
    const isTime = reset !== null && reset >= LEAST_EPOCH_SECONDS
    return one("legacy", get("Limit"), get("Remaining"), isTime ? Math.max(0, reset - nowMs / 1_000) : reset)
  },
]

/**
 * Reads what a response tells of its limits: `RateLimit` of the drafts 11 and 7, the fields of draft 6,
 * `X-RateLimit-*`, and `Retry-After` in seconds or as a date. What cannot be read counts as not told.
 *
 * @param nowMs ms since the epoch, for fields that tell a time
 */
export function readQuotaFields(headers: Headers, nowMs: number): QuotaFields {
  let quotas: QuotaReadout[] = []
  for (const read of STYLES) {
    quotas = read(headers, nowMs)
    if (quotas.length > 0) break
  }
  return { quotas, retryAfterMs: readRetryAfter(headers.get("Retry-After"), nowMs) }
}

function one(name: string, limit?: string, remaining?: string, resetSeconds: number | null = null): QuotaReadout[] {
  const left = wholeOf(remaining)
  if (left === null || resetSeconds === null) return []
  return [{ name, remaining: left, resetAfterMs: Math.ceil(resetSeconds * 1_000), limit: wholeOf(limit) }]
}

/** The wait that a `Retry-After` tells, in ms; `null` where it is neither whole seconds nor an HTTP-date. */
export function readRetryAfter(value: string | null, nowMs: number): number | null {
  if (value === null) return null
  const seconds = wholeOf(value)
  if (seconds !== null) return seconds * 1_000
  const atMs = parseHttpDate(value.trim(), nowMs)
  return Number.isNaN(atMs) ? null : Math.max(0, atMs - nowMs)
}

/** A whole number from 0, in at most fifteen digits as Structured Fields have them; else `null`. */
function wholeOf(text: string | undefined): number | null {
  return text !== undefined && /^\s*\d{1,15}\s*$/.test(text) ? Number(text) : null
}

// No text fits two of a value's alternatives: a field that is no list is given up in one pass.
const ITEM =
  /\s*"((?:[^"\\]|\\.)*)"((?:\s*;\s*[a-z*][a-z0-9_.*-]*(?:=(?:"(?:[^"\\]|\\.)*"|:[^:]*:|(?!:)[^;,\s"]*))?)*)\s*(?:,|$)/y
const PARAMETER = /;\s*([a-z*][a-z0-9_.*-]*)(?:=("(?:[^"\\]|\\.)*"|:[^:]*:|(?!:)[^;,\s"]*))?/g

/** An item of a List of Strings with parameters (RFC 9651). */
interface Item {
  readonly name: string
  /**
   * Its name and partition; numbered where several are called so, as those of limiters that know nothing of each other.
   */
  readonly id: string
  readonly parameters: Parameters
}

/** Empty where a field is no list of items. */
function readItems(field: string | null): Item[] {
  const items: Item[] = []
  const seen = new Map<string, number>()
  const text = field ?? ""
  for (let at = 0; at < text.length; ) {
    ITEM.lastIndex = at
    const match = ITEM.exec(text)
    if (match === null) return []
    const parameters = [...match[2]!.matchAll(PARAMETER)].map(([, name, value = ""]) => [name!, value] as const)
    const item = { name: match[1]!, parameters: new Map(parameters) }
    const called = `${item.name}${item.parameters.get("pk") ?? ""}`
    const before = seen.get(called) ?? 0
    seen.set(called, before + 1)
    items.push({ ...item, id: before === 0 ? called : `${called}\n${before + 1}` })
    at = ITEM.lastIndex
  }
  return items
}

/** The members of a Dictionary whose values are plain numbers, as draft 7 has them. */
function readMembers(field: string | null): Parameters {
  const members = (field ?? "").split(",").map((member) => member.split(";")[0]!.split("="))
  return new Map(members.map(([name = "", value = ""]) => [name.trim(), value.trim()]))
}
