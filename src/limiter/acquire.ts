import type { LimitChoice, NamedLimits } from "./named-limits.js"
import type { Permit, SettlingChecker } from "./permit.js"
import { type AcquireOptions, WaitingLine } from "./waiting-line.js"

/** One line for each limiter, gone with it. */
const lines = new WeakMap<SettlingChecker, WaitingLine>()

/**
 * Waits until a limiter admits a key: first come, first served for each key. It works over any limiter, wherever that
 * keeps its counts, by `check` and the wait that it tells. All calls for one limiter stand in one line of at most 10,000;
 * for another bound, make a `WaitingLine`. Of several named limits, `limit` says which is asked; each has its own order.
 *
 * @throws {TimeoutExceeded} {QueueFull}, the signal's reason, and what `check` throws; see `WaitingLine.acquire`
 * @example
 * ```ts
 * import { acquire, RateLimiter } from "sluice"
 *
 * const limiter = new RateLimiter("100/second")
 * using permit = await acquire(limiter, "user:42", { timeout: "2s" })
 * permit.decision.allowed // true
 * ```
 */
export function acquire(limiter: NamedLimits, key: string, options?: AcquireOptions & LimitChoice): Promise<Permit>
export function acquire(limiter: SettlingChecker, key: string, options?: AcquireOptions): Promise<Permit>
export function acquire(
  limiter: SettlingChecker,
  key: string,
  options?: AcquireOptions & LimitChoice,
): Promise<Permit> {
  let line = lines.get(limiter)
  if (line === undefined) {
    line = new WaitingLine(limiter)
    lines.set(limiter, line)
  }
  return line.acquire(key, options)
}
