import { StoreUnavailable } from "../types/errors.js"

/**
 * What `work` comes to, if it does so within `timeoutMs`. What it comes to later is nobody's error.
 *
 * @param timeoutMs 1 … 2^31 − 1; timers of the platforms overflow beyond
 * @throws {StoreUnavailable} where it does not
 */
export function withDeadline<T>(work: Promise<T>, timeoutMs: number): Promise<T> {
  return new Promise((resolve, reject) => {
    const late = () => reject(new StoreUnavailable(`the limiter did not answer within ${timeoutMs} ms`))
    const timer = setTimeout(late, timeoutMs)
    work.then(resolve, reject).finally(() => clearTimeout(timer))
  })
}
