import type { RateLimitOptions } from "../http/rate-limit-options.js"

/** The options that follow from the handler's response. */
const OF_RESPONSES = ["skipFailedRequests", "skipSuccessfulRequests", "penalty"] as const

/** The options of a limit that never sees the handler's response. */
export type WithoutResponses<Rest extends unknown[]> = Omit<RateLimitOptions<Rest>, (typeof OF_RESPONSES)[number]>

/**
 * What the types leave out, plain JavaScript may give.
 *
 * @param place the function that takes these options
 * @throws {RangeError}
 */
export function refuseResponseOptions(options: RateLimitOptions<never>, place: string): void {
  for (const name of OF_RESPONSES) {
    if (!options[name]) continue
    throw new RangeError(`Cannot rate limit: ${name} is given, allowed is that only with ${place}.`)
  }
}
