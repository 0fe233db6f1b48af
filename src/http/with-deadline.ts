import { withTimeout } from "../lib/with-timeout.js"
import { StoreUnavailable } from "../types/errors.js"

/**
 * What a limiter answers, if it does so within `timeoutMs`. What it answers later is nobody's error.
 *
 * @param timeoutMs 1 … 2^31 − 1; timers of the platforms overflow beyond
 * @throws {StoreUnavailable} where it does not
 */
export function withDeadline<T>(work: Promise<T>, timeoutMs: number): Promise<T> {
  return withTimeout(work, timeoutMs, () =>
    Promise.reject(new StoreUnavailable(`the limiter did not answer within ${timeoutMs} ms`)),
  )
}
