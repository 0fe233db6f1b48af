import { MAX_KEYS, MAX_TIMER_MS } from "../policy/policy-range.js"
import {
  BYTES,
  CLOCK,
  COST,
  either,
  FUNCTION,
  flag,
  type Kinds,
  OBJECT,
  oneOf,
  READ_ELSEWHERE,
  required,
  requireFields,
  TEXT,
  TEXTS,
  unfit,
  whole,
} from "../policy/require-fields.js"
import { show } from "../types/errors.js"
import type { AccessList } from "./access.js"
import type { KeyExtractor } from "./keys/key-extractor.js"
import type { LimitOptions } from "./limit-options.js"
import { FIELD_KINDS, type HeaderStyle, headerStyles } from "./rate-limit-fields.js"
import type { RateLimitOptions } from "./rate-limit-options.js"
import { requireJitter } from "./retry-after.js"

const MAX_LIMITS = 16
/** What a limit may be called beside others. */
export const OTHER_NAME = "a name of no other limit"
const DEFAULT_MAX_DELAY_MS = 10_000

const TIMER = whole(1, MAX_TIMER_MS)

const LIMIT_KINDS: Kinds<LimitOptions<never>> = {
  policy: READ_ELSEWHERE,
  key: FUNCTION,
  cost: COST,
  name: {
    allowed: "1 to 32 printable ASCII characters without a space at either end",
    // Room is left for what comes after the name of a limit in those of its rules.
    fits: (value) => typeof value === "string" && /^[!-~](?:[ -~]{0,30}[!-~])?$/.test(value),
  },
}

/** What requests and messages have in common. */
export const FAILURE_KINDS = {
  failMode: oneOf("open", "closed", "local"),
  timeoutMs: TIMER,
  localLimiter: FUNCTION,
  limiter: FUNCTION,
  maxKeys: whole(1, MAX_KEYS),
  clock: CLOCK,
  onDecision: FUNCTION,
  onError: FUNCTION,
}

const REQUEST_KINDS: Kinds<RateLimitOptions<never>> = {
  ...LIMIT_KINDS,
  ...FAILURE_KINDS,
  limits: READ_ELSEWHERE,
  skip: FUNCTION,
  allow: READ_ELSEWHERE,
  deny: READ_ELSEWHERE,
  address: OBJECT,
  status: whole(400, 599),
  jitter: READ_ELSEWHERE,
  partitionSecret: either(TEXT, BYTES),
  onLimited: FUNCTION,
  failClosedStatus: oneOf(429, 503),
  delay: either(flag(), { ...OBJECT, allowed: "{ maxMs }" }),
  skipFailedRequests: flag(),
  skipSuccessfulRequests: flag(),
  penalty: FUNCTION,
  shadow: flag(),
  ...FIELD_KINDS,
}

/** Every option of `rateLimit`. */
export const REQUEST_OPTION_NAMES: readonly string[] = Object.keys(REQUEST_KINDS)

const LIST_KINDS: Kinds<AccessList> = { addresses: TEXTS, keys: TEXTS }

/**
 * Refuses what can be known to be wrong before the first request.
 *
 * @throws {RangeError} naming the option, its value and what is allowed
 */
export function requireOptions<Rest extends unknown[]>(options: RateLimitOptions<Rest>): void {
  requireFields<RateLimitOptions<never>>("rate limit", options as RateLimitOptions<never>, REQUEST_KINDS)
  const { jitter, headers, delay } = options
  if (typeof delay === "object") requireFields("rate limit", delay, { maxMs: required(TIMER) }, "delay.")
  for (const list of ["allow", "deny"] as const) {
    if (options[list] !== undefined) requireFields("rate limit", options[list], LIST_KINDS, `${list}.`)
  }
  if (jitter !== undefined) requireJitter(jitter)
  refuseIdle("rate limit", options, headerStyles(headers))
  if (options.skipFailedRequests && options.skipSuccessfulRequests) {
    throw new RangeError(
      "Cannot rate limit: skipFailedRequests and skipSuccessfulRequests are both set, allowed is one: nothing would count.",
    )
  }
}

/** Options that have an effect only beside another one. */
type Dependent = Pick<
  RateLimitOptions<never>,
  | "failMode"
  | "failClosedStatus"
  | "localLimiter"
  | "limiter"
  | "maxKeys"
  | "legacyReset"
  | "quotaUnit"
  | "partitionSecret"
>

/**
 * Refuses options that would do nothing beside the others. Their values stay unsaid: one is a secret.
 *
 * @param styles the header styles that are written
 * @throws {RangeError} naming the option, and what it is for
 */
export function refuseIdle(act: string, options: Dependent, styles: readonly HeaderStyle[] = []): void {
  const { failMode = "open", limiter, localLimiter } = options
  const isInMemory = limiter === undefined || (failMode === "local" && localLimiter === undefined)
  const uses: Readonly<Record<Exclude<keyof Dependent, "failMode" | "limiter">, readonly [is: boolean, what: string]>> =
    {
      maxKeys: [isInMemory, "limits in memory"],
      localLimiter: [failMode === "local", 'failMode "local"'],
      // Without a policy "local" refuses, as "closed" does.
      failClosedStatus: [failMode !== "open", 'failMode "closed" or "local"'],
      legacyReset: [styles.includes("legacy"), 'headers "legacy"'],
      quotaUnit: [styles.includes("draft-11"), 'headers "draft-11"'],
      partitionSecret: [styles.includes("draft-11"), 'headers "draft-11"'],
    }
  for (const [name, [isUsed, what]] of Object.entries(uses)) {
    if (isUsed || options[name as keyof Dependent] === undefined) continue
    throw new RangeError(`Cannot ${act}: ${name} is given, allowed is that only with ${what}.`)
  }
}

/** Refuses what is to be called and cannot be. @throws {RangeError} */
export function requireHandler(name: string, handler: unknown): void {
  requireFields<Record<string, unknown>>("rate limit", { [name]: handler }, { [name]: required(FUNCTION) })
}

/** A bad key would fail at each request that shows no other, and leave it to the fail mode. @throws {RangeError} */
export function requireUnidentified({ unidentified }: Pick<KeyExtractor, "unidentified">, path: string): void {
  if (unidentified === undefined || (TEXT.fits(unidentified) && unidentified !== "")) return
  throw unfit("rate limit", `${path}key.unidentified`, unidentified, "a text, not empty")
}

/**
 * The limits that options tell of, one or several.
 *
 * @throws {RangeError} where there is none, there are too many, two have the same name, or both ways are used at once
 */
export function limitsOf<Rest extends unknown[]>(options: RateLimitOptions<Rest>): readonly LimitOptions<Rest>[] {
  const { limits, policy } = options
  if (limits === undefined) {
    if (policy === undefined) throw new RangeError("Cannot rate limit: there is neither policy nor limits.")
    return [options as LimitOptions<Rest>]
  }
  for (const field of ["policy", "key", "cost", "name"] as const) {
    if (options[field] === undefined) continue
    throw new RangeError(`Cannot rate limit: ${field} and limits are both set, allowed is one: each limit has its own.`)
  }
  if (!Array.isArray(limits) || limits.length < 1 || limits.length > MAX_LIMITS) {
    throw new RangeError(`Cannot rate limit: limits is ${show(limits)}, allowed are 1 to ${MAX_LIMITS} of them.`)
  }
  const names = new Set<string>()
  for (const [index, limit] of limits.entries()) {
    requireFields<LimitOptions<never>>("rate limit", limit, LIMIT_KINDS, `limits[${index}].`)
    const { name } = limit
    if (name === undefined) continue
    if (names.has(name)) throw unfit("rate limit", `limits[${index}].name`, name, OTHER_NAME)
    names.add(name)
  }
  return limits
}

/** The longest time that a request is held, in ms; 0 where none is. */
export function maxDelayMsOf<Rest extends unknown[]>({ delay }: RateLimitOptions<Rest>): number {
  if (typeof delay === "object") return delay.maxMs
  return delay ? DEFAULT_MAX_DELAY_MS : 0
}
