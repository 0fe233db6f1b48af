import { isDeniedByBlock } from "../limiter/denied-by-block.js"
import { requireDecision } from "../limiter/require-decision.js"
import type { Policy, Rule } from "../policy/policy.js"
import {
  BYTES,
  either,
  type Kinds,
  LIST,
  MILLISECONDS,
  oneOf,
  requireFields,
  requireKind,
  TEXT,
  unfit,
} from "../policy/require-fields.js"
import type { Decision } from "../types/decision.js"
import { show } from "../types/errors.js"
import type { Decided } from "./decide.js"
import { type LimitPart, type RequestDecision, rulesOf } from "./request-decision.js"
import { isSfText, sfBytes, sfInteger, sfString } from "./structured-field.js"

/**
 * A way to tell clients about their limit. `draft-…` are versions of draft-ietf-httpapi-ratelimit-headers, of which 11
 * is the newest; `legacy` is the `X-RateLimit-*` fields.
 */
export type HeaderStyle = "draft-11" | "draft-7" | "draft-6" | "legacy"

/** What the RateLimit fields of a response say, and in which style. */
export interface RateLimitFieldsOptions {
  /**
   * One style, several, or none with `false`; default `"draft-11"`. `draft-11` and `draft-7` exclude each other: both
   * write the field `RateLimit`. With `draft-6` beside a newer one, `RateLimit-Policy` is the newer one's.
   */
  readonly headers?: HeaderStyle | readonly HeaderStyle[] | false | undefined
  /** What `X-RateLimit-Reset` holds: the second since the Unix epoch (`"epoch"`, the default) or the seconds until. */
  readonly legacyReset?: "epoch" | "delta" | undefined
  /** `draft-11`: the parameter `qu`, for a cost that is not a count of requests, such as `"content-bytes"`. */
  readonly quotaUnit?: string | undefined
}

/** The options of one response. */
export interface FieldContext extends RateLimitFieldsOptions {
  /** `draft-11`: the parameter `pk`. */
  readonly partitionKey?: Uint8Array | undefined
}

/** What of the options of one response can be known before it is made. */
export const FIELD_KINDS: Kinds<RateLimitFieldsOptions> = {
  headers: either(oneOf(false), either(TEXT, LIST)),
  legacyReset: oneOf("epoch", "delta"),
  quotaUnit: { allowed: "printable ASCII", fits: isSfText },
}
const CONTEXT_KINDS: Kinds<FieldContext> = { ...FIELD_KINDS, partitionKey: BYTES }

type Fields = Record<string, string>
type Style = (policy: Policy, decision: Decision, nowMs: number, context: FieldContext) => Fields

/** Oldest first: where two styles write the same field, the newer one stands. */
const STYLES: Readonly<Record<HeaderStyle, Style>> = {
  legacy: (policy, decision, nowMs, { legacyReset = "epoch" }) => {
    if (isGuess(decision)) return {}
    const resetSeconds = windowSeconds(decision, policy, decision)
    const epochSeconds = Math.ceil((nowMs + effectiveWindowMs(decision, policy, decision)) / 1_000)
    return {
      "X-RateLimit-Limit": sfInteger(decision.limit),
      "X-RateLimit-Remaining": sfInteger(available(decision, policy, decision)),
      "X-RateLimit-Reset": sfInteger(legacyReset === "epoch" ? epochSeconds : resetSeconds),
    }
  },
  "draft-6": (policy, decision) => ({
    ...numberedPolicy(quotasOf(policy, decision)),
    ...(!isGuess(decision) && {
      "RateLimit-Limit": sfInteger(decision.limit),
      "RateLimit-Remaining": sfInteger(available(decision, policy, decision)),
      "RateLimit-Reset": sfInteger(windowSeconds(decision, policy, decision)),
    }),
  }),
  "draft-7": (policy, decision) => ({
    ...numberedPolicy(quotasOf(policy, decision)),
    ...(!isGuess(decision) && {
      RateLimit: [
        `limit=${sfInteger(decision.limit)}`,
        `remaining=${sfInteger(available(decision, policy, decision))}`,
        `reset=${sfInteger(windowSeconds(decision, policy, decision))}`,
      ].join(", "),
    }),
  }),
  "draft-11": (policy, decision, _nowMs, { quotaUnit, partitionKey }) => {
    const pk = partitionKey === undefined ? "" : `;pk=${sfBytes(partitionKey)}`
    const quotas = `${quotaItems(policy, decision, quotaUnit).join(`${pk}, `)}${pk}`
    if (isGuess(decision)) return { "RateLimit-Policy": quotas }
    const limits = (decision.rules ?? [decision]).map((rule) => {
      const r = sfInteger(available(rule, policy, decision))
      return `${sfString(rule.policy)};r=${r};t=${sfInteger(windowSeconds(rule, policy, decision))}${pk}`
    })
    return { "RateLimit-Policy": quotas, RateLimit: limits.join(", ") }
  },
}

const STYLE_NAMES = Object.keys(STYLES) as HeaderStyle[]

/**
 * The fields that tell a client about its limit, by name, on allowed and denied responses alike. `draft-11` has one
 * item per rule, in the policy's order; the older styles have room for one rule and tell of the one that binds most.
 *
 * - `w` is the period in whole seconds. The draft knows no fraction of a second, so a period that has one goes without
 *   `w`: a rounded window would be another policy. The drafts 6 and 7 require `w`, so there such a rule is left out of
 *   `RateLimit-Policy`; and of rules with the same limit, which they forbid, the one with the longest period stays.
 * - `t` (`reset` in the older ones) is rounded up to whole seconds and at least 1: when allowed, the time to full; when
 *   denied, the wait until this cost would pass. A rule that would have admitted says its time to full there, but no
 *   more than that wait, since `Retry-After` should not end before `t` does.
 * - `r` is what is left; 0 while the key is blocked, from the denial on that begins the block.
 * - `q` and `w` are those of the rules that decided, also where these are not the ones of `policy`: a limiter may hold
 *   a newer policy. Of an only rule with another limit the decision tells no period, so it goes without `w`.
 * - Where the limiter could not be asked (`fail-open`, `fail-closed`) only the policy is told: the rest is not known.
 *
 * @param nowMs milliseconds since the Unix epoch, for the `"epoch"` of `legacyReset`; nothing else looks at it
 * @throws {RangeError} where the policy, the decision or the time that is needed is none, a name or unit is not
 * printable ASCII, or an option cannot be
 * @see draft-ietf-httpapi-ratelimit-headers-11
 * @example
 * ```ts
 * import { rateLimitFields } from "sluice/http"
 * import { parsePolicy, RateLimiter } from "sluice"
 *
 * const policy = parsePolicy("100/minute")
 * const decision = new RateLimiter(policy).check("a")
 * rateLimitFields(policy, decision, Date.now())
 * // { "RateLimit-Policy": '"default";q=100;w=60', RateLimit: '"default";r=99;t=1' }
 * ```
 */
export function rateLimitFields(
  policy: Policy,
  decision: Decision,
  nowMs: number,
  context: FieldContext = {},
): Record<string, string> {
  if (!LIST.fits(policy?.rules)) throw unfit("rate limit", "policy", policy, "a policy of parsePolicy()")
  requireDecision("rate limit", decision, "decision")
  requireFields("rate limit", context, CONTEXT_KINDS)
  const styles = headerStyles(context.headers)
  if (styles.includes("legacy") && context.legacyReset !== "delta")
    requireKind("rate limit", "nowMs", nowMs, MILLISECONDS)
  return writeFields(policy, decision, nowMs, { ...context, styles })
}

/** Options that were looked at, with the styles oldest first, as `headerStyles` gives them. */
export interface FieldFormat extends Omit<RateLimitFieldsOptions, "headers"> {
  readonly styles: readonly HeaderStyle[]
}

/** `rateLimitFields` where the options were looked at before. */
function writeFields(
  policy: Policy,
  decision: Decision,
  nowMs: number,
  context: FieldFormat & Pick<FieldContext, "partitionKey">,
): Fields {
  const [only, ...others] = context.styles
  if (only !== undefined && others.length === 0) return STYLES[only](policy, decision, nowMs, context)
  const fields = context.styles.map((style) => STYLES[style](policy, decision, nowMs, context))
  return Object.assign({}, ...fields)
}

/**
 * The styles asked for, oldest first.
 *
 * @throws {RangeError} where a style is unknown, or two exclude each other
 */
export function headerStyles(headers: RateLimitFieldsOptions["headers"] = "draft-11"): HeaderStyle[] {
  const asked = headers === false ? [] : typeof headers === "string" ? [headers] : headers
  for (const style of asked) {
    if (!STYLE_NAMES.includes(style)) {
      throw new RangeError(`Cannot rate limit: headers is ${show(style)}, allowed is ${STYLE_NAMES.join(", ")}, false.`)
    }
  }
  if (asked.includes("draft-11") && asked.includes("draft-7")) {
    throw new RangeError("Cannot rate limit: headers is draft-11 and draft-7, allowed is one of the two.")
  }
  return STYLE_NAMES.filter((style) => asked.includes(style))
}

/**
 * The RateLimit fields of a response. `draft-11` has the items of every limit, each with its own partition key; the
 * older styles have room for one rule and tell of the limit that binds most.
 *
 * @param partitionKeys one for each part, or none
 */
export function decisionFields(
  { decision, parts }: Pick<Decided, "decision" | "parts">,
  nowMs: number,
  format: FieldFormat,
  partitionKeys: readonly Uint8Array[],
): Record<string, string> {
  const [first, ...others] = parts
  if (first !== undefined && others.length === 0) {
    const [partitionKey] = partitionKeys
    if (first.policy === undefined) return {}
    return writeFields(first.policy, decision, nowMs, partitionKey ? { ...format, partitionKey } : format)
  }
  const { styles } = format
  const older = styles.filter((style) => style !== "draft-11")
  const fields = older.length === 0 ? {} : olderFields({ decision, parts }, nowMs, { ...format, styles: older })
  if (older.length === styles.length) return fields

  const lists: Record<string, string[]> = {}
  for (const [index, part] of parts.entries()) {
    if (part.policy === undefined) continue
    const partitionKey = partitionKeys[index]
    const own = ownDecision(part, decision)
    const written = STYLES["draft-11"](part.policy, own, nowMs, partitionKey ? { ...format, partitionKey } : format)
    for (const [name, value] of Object.entries(written)) {
      lists[name] = [...(lists[name] ?? []), value]
    }
  }
  for (const [name, items] of Object.entries(lists)) fields[name] = items.join(", ")
  return fields
}

/** What the limit that binds most tells in styles with room for one. */
function olderFields(
  { decision, parts }: Pick<Decided, "decision" | "parts">,
  nowMs: number,
  format: FieldFormat,
): Record<string, string> {
  const binding =
    parts.find(({ decision: { policy, key } }) => policy === decision.policy && key === decision.key) ?? parts[0]!
  if (binding.policy === undefined) return {}
  const { rules: _, ...numbers } = decision
  const { rules } = binding.decision
  return writeFields(binding.policy, { ...numbers, ...(rules && { rules }) }, nowMs, format)
}

/** A limit that would have admitted a request which another one denied tells the wait of that other one. */
function ownDecision(part: LimitPart, { allowed, retryAfterMs }: RequestDecision) {
  if (allowed || !part.decision.allowed) return part.decision
  return { ...part.decision, allowed, retryAfterMs, policy: "", rules: rulesOf(part) }
}

/** What of a decision, or of one rule's part in it, the fields tell. */
type Readout = Pick<Decision, "policy" | "remaining" | "retryAfterMs" | "resetAfterMs">

/** Whether the numbers of a decision are made up, because the limiter could not be asked. */
function isGuess({ reason }: Decision): boolean {
  return reason === "fail-open" || reason === "fail-closed"
}

function available({ remaining }: Readout, { blockMs }: Policy, decision: Decision): number {
  return isDeniedByBlock(decision, blockMs) ? 0 : remaining
}

function effectiveWindowMs(rule: Readout, { blockMs }: Policy, decision: Decision): number {
  if (decision.allowed) return rule.resetAfterMs
  // A block and a charge that lies outside the rules can make the whole wait longer than its own rule knows.
  if (isDeniedByBlock(decision, blockMs) || rule.policy === decision.policy) return decision.retryAfterMs
  return rule.retryAfterMs > 0 ? rule.retryAfterMs : Math.min(rule.resetAfterMs, decision.retryAfterMs)
}

function windowSeconds(rule: Readout, policy: Policy, decision: Decision): number {
  return Math.max(1, Math.ceil(effectiveWindowMs(rule, policy, decision) / 1_000))
}

/** What `RateLimit-Policy` tells of a rule. A period of 0 is not known. */
type Quota = Pick<Rule, "name" | "limit" | "periodMs">

/**
 * The rules that decided, which need not be those of the policy that was sent: the limiter may hold a newer one. Where
 * they are, it is `policy.rules` itself.
 */
function quotasOf(policy: Policy, decision: Decision): readonly Quota[] {
  if (isGuess(decision) || isDecidedAsSent(policy.rules, decision)) return policy.rules
  return rulesOf({ policy, decision }).map(({ policy: name, limit, periodMs }) => ({ name, limit, periodMs }))
}

function isDecidedAsSent(sent: readonly Rule[], { policy, limit, rules }: Decision): boolean {
  if (rules === undefined) return sent.length === 1 && sent[0]!.limit === limit && sent[0]!.name === policy
  if (rules.length !== sent.length) return false
  return sent.every((rule, index) => {
    const decided = rules[index]!
    return rule.name === decided.policy && rule.limit === decided.limit && rule.periodMs === decided.periodMs
  })
}

/** What a policy's own rules are told as, which is the same at every response. */
interface WrittenQuotas {
  readonly quotaUnit: string | undefined
  readonly items: readonly string[]
}

const writtenQuotas = new WeakMap<Policy, WrittenQuotas>()

/** The items of `RateLimit-Policy` in `draft-11`, without partition keys. */
function quotaItems(policy: Policy, decision: Decision, quotaUnit: string | undefined): readonly string[] {
  const quotas = quotasOf(policy, decision)
  // One that may still change is told anew.
  const isOwn = quotas === policy.rules && Object.isFrozen(policy)
  const written = isOwn ? writtenQuotas.get(policy) : undefined
  if (written !== undefined && written.quotaUnit === quotaUnit) return written.items
  const qu = quotaUnit === undefined ? "" : `;qu=${sfString(quotaUnit)}`
  const items = quotas.map(({ name, limit, periodMs }) => {
    const w = isWholeSeconds(periodMs) ? `;w=${sfInteger(periodMs / 1_000)}` : ""
    return `${sfString(name)};q=${sfInteger(limit)}${qu}${w}`
  })
  if (isOwn) writtenQuotas.set(policy, { quotaUnit, items })
  return items
}

function isWholeSeconds(periodMs: number): boolean {
  return periodMs > 0 && periodMs % 1_000 === 0
}

/** `RateLimit-Policy` of the drafts 6 and 7, such as `10;w=1, 1000;w=3600`; absent where no rule can be told. */
function numberedPolicy(rules: readonly Quota[]): Fields {
  const secondsByLimit = new Map<number, number>()
  for (const { limit, periodMs } of rules) {
    if (!isWholeSeconds(periodMs)) continue
    secondsByLimit.set(limit, Math.max(secondsByLimit.get(limit) ?? 0, periodMs / 1_000))
  }
  if (secondsByLimit.size === 0) return {}
  const items = Array.from(secondsByLimit, ([limit, seconds]) => `${sfInteger(limit)};w=${sfInteger(seconds)}`)
  return { "RateLimit-Policy": items.join(", ") }
}
