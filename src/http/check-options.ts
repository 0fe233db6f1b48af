import { show } from "../types/errors.js"
import type { LimitOptions } from "./limit-options.js"
import { headerStyles } from "./rate-limit-fields.js"
import type { RateLimitOptions } from "./rate-limit-options.js"
import { checkJitter } from "./retry-after.js"
import { sfString } from "./structured-field.js"

const MAX_TIMER_MS = 2 ** 31 - 1
const MAX_LIMITS = 16
const DEFAULT_MAX_DELAY_MS = 10_000

/**
 * Refuses what can be known to be wrong before the first request.
 *
 * @throws {RangeError} naming the option, its value and what is allowed
 */
export function checkOptions<Rest extends unknown[]>(options: RateLimitOptions<Rest>): void {
  const { failMode, failClosedStatus, legacyReset, timeoutMs, status, jitter, quotaUnit, headers } = options
  checkOneOf("failMode", failMode, ["open", "closed", "local"])
  checkOneOf("failClosedStatus", failClosedStatus, [429, 503])
  checkOneOf("legacyReset", legacyReset, ["epoch", "delta"])
  checkWhole("timeoutMs", timeoutMs, 1, MAX_TIMER_MS)
  checkWhole("status", status, 400, 599)
  checkWhole("maxKeys", options.maxKeys, 1, 2 ** 32 - 1)
  if (typeof options.delay === "object") checkWhole("delay.maxMs", options.delay.maxMs, 1, MAX_TIMER_MS)
  if (jitter !== undefined) checkJitter(jitter)
  if (quotaUnit !== undefined) sfString(quotaUnit)
  headerStyles(headers)
  if (options.skipFailedRequests && options.skipSuccessfulRequests) {
    throw new RangeError(
      "Cannot rate limit: skipFailedRequests and skipSuccessfulRequests are both set, allowed is one: nothing would count.",
    )
  }
}

/**
 * The limits that options tell of, one or several.
 *
 * @throws {RangeError} where there is none, there are too many, or both ways are used at once
 */
export function limitsOf<Rest extends unknown[]>(options: RateLimitOptions<Rest>): readonly LimitOptions<Rest>[] {
  const { limits, policy } = options
  if (limits === undefined) {
    if (policy === undefined) throw new RangeError("Cannot rate limit: there is neither policy nor limits.")
    checkName("name", options.name)
    return [options as LimitOptions<Rest>]
  }
  for (const field of ["policy", "key", "cost", "name"] as const) {
    if (options[field] === undefined) continue
    throw new RangeError(`Cannot rate limit: ${field} and limits are both set, allowed is one: each limit has its own.`)
  }
  if (!Array.isArray(limits) || limits.length < 1 || limits.length > MAX_LIMITS) {
    throw new RangeError(`Cannot rate limit: limits is ${show(limits)}, allowed are 1 to ${MAX_LIMITS} of them.`)
  }
  for (const [index, { name }] of limits.entries()) checkName(`limits[${index}].name`, name)
  return limits
}

/** Room is left for what comes after the name of a limit in those of its rules. */
function checkName(field: string, name: string | undefined): void {
  if (name === undefined || /^[!-~](?:[ -~]{0,30}[!-~])?$/.test(name)) return
  throw new RangeError(
    `Cannot rate limit: ${field} is ${show(name)}, allowed are 1 to 32 printable ASCII characters without a space at either end.`,
  )
}

/** The longest time that a request is held, in ms; 0 where none is. */
export function maxDelayMsOf<Rest extends unknown[]>({ delay }: RateLimitOptions<Rest>): number {
  if (typeof delay === "object") return delay.maxMs
  return delay ? DEFAULT_MAX_DELAY_MS : 0
}

function checkOneOf(field: string, value: unknown, allowed: readonly unknown[]): void {
  if (value === undefined || allowed.includes(value)) return
  throw new RangeError(`Cannot rate limit: ${field} is ${show(value)}, allowed is ${allowed.map(show).join(", ")}.`)
}

function checkWhole(field: string, value: number | undefined, minimum: number, maximum: number): void {
  if (value === undefined || (Number.isInteger(value) && value >= minimum && value <= maximum)) return
  throw new RangeError(
    `Cannot rate limit: ${field} is ${show(value)}, allowed is a whole number ${minimum} to ${maximum}.`,
  )
}
