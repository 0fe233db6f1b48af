import { headerStyles, type RateLimitFieldsOptions, writeFields } from "./rate-limit-fields.js"
import { type LimitPart, type RequestDecision, rulesOf } from "./request-decision.js"

/** The decision on a request, and each limit's part in it. */
interface Decided {
  readonly decision: RequestDecision
  readonly parts: readonly LimitPart[]
}

/**
 * The RateLimit fields of a response. `draft-11` has the items of every limit, each with its own partition key; the
 * older styles have room for one rule and tell of the limit that binds most.
 *
 * @param partitionKeys one for each part, or none
 */
export function decisionFields(
  { decision, parts }: Decided,
  nowMs: number,
  options: RateLimitFieldsOptions,
  partitionKeys: readonly Uint8Array[],
): Record<string, string> {
  const styles = headerStyles(options.headers)
  const older = styles.filter((style) => style !== "draft-11")
  const fields = older.length === 0 ? {} : olderFields({ decision, parts }, nowMs, { ...options, headers: older })
  if (older.length === styles.length) return fields

  const lists: Record<string, string[]> = {}
  for (const [index, part] of parts.entries()) {
    if (part.policy === undefined) continue
    const partitionKey = partitionKeys[index]
    const context = { ...options, headers: "draft-11", ...(partitionKey && { partitionKey }) } as const
    const own = parts.length === 1 ? decision : ownDecision(part, decision)
    for (const [name, value] of Object.entries(writeFields(part.policy, own, nowMs, context))) {
      lists[name] = [...(lists[name] ?? []), value]
    }
  }
  for (const [name, items] of Object.entries(lists)) fields[name] = items.join(", ")
  return fields
}

/** What the limit that binds most tells in styles with room for one. */
function olderFields(
  { decision, parts }: Decided,
  nowMs: number,
  options: RateLimitFieldsOptions,
): Record<string, string> {
  const binding =
    parts.find(({ decision: { policy, key } }) => policy === decision.policy && key === decision.key) ?? parts[0]!
  if (binding.policy === undefined) return {}
  const { rules: _, ...numbers } = decision
  const { rules } = binding.decision
  return writeFields(binding.policy, { ...numbers, ...(rules && { rules }) }, nowMs, options)
}

/** A limit that would have admitted a request which another one denied tells the wait of that other one. */
function ownDecision(part: LimitPart, { allowed, retryAfterMs }: RequestDecision) {
  if (allowed || !part.decision.allowed) return part.decision
  return { ...part.decision, allowed, retryAfterMs, policy: "", rules: rulesOf(part) }
}
