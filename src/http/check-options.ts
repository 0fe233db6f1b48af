import { show } from "../types/errors.js"
import { headerStyles } from "./rate-limit-fields.js"
import type { RateLimitOptions } from "./rate-limit-options.js"
import { checkJitter } from "./retry-after.js"
import { sfString } from "./structured-field.js"

const MAX_TIMER_MS = 2 ** 31 - 1

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
  if (jitter !== undefined) checkJitter(jitter)
  if (quotaUnit !== undefined) sfString(quotaUnit)
  headerStyles(headers)
  if (options.skipFailedRequests && options.skipSuccessfulRequests) {
    throw new RangeError(
      "Cannot rate limit: skipFailedRequests and skipSuccessfulRequests are both set, allowed is one: nothing would count.",
    )
  }
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
