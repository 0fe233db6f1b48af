import { checkNames } from "../policy/check-fields.js"
import type { AcquireOptions } from "./acquire-options.js"
import { type LimitOwner, ownerOf } from "./limit-owner.js"
import type { LimitChoice, NamedLimits } from "./named-limits.js"
import type { Permit, SettlingChecker } from "./permit.js"
import { WaitingLine } from "./waiting-line.js"

/** Who asks named limits under names, as `fromConfig` makes them. */
interface LimitsByName extends SettlingChecker {
  readonly limits: NamedLimits
}

/** What may be said of a wait for a limiter of one limit. */
const OF_ACQUIRE = ["cost", "timeout", "signal"]

/**
 * One line for each limiter that counts, gone with it. A limiter that waits in its own way puts its line here itself.
 */
export const lines = new WeakMap<SettlingChecker, WaitingLine>()

/**
 * Waits until a limiter admits a key: first come, first served for each key. It works over any limiter, wherever that
 * keeps its counts, by `check` and the wait that it tells. All calls for one limiter stand in one line of at most
 * 10,000; for another bound, make a `WaitingLine`. A `RateLimiter` has its own line, that of its method `acquire`. Of
 * several named limits, `limit` says which is asked; each has its own order, in which those stand too who wait for that
 * limit by itself, as `of` and `oneLimit` make it.
 *
 * @throws {TimeoutExceeded} {QueueFull} {RateLimitExceeded}, the signal's reason, and what `check` throws; see `WaitingLine.acquire`
 * @example
 * ```ts
 * import { acquire, RateLimiter } from "sluice"
 *
 * const limiter = new RateLimiter("100/second")
 * using permit = await acquire(limiter, "user:42", { timeout: "2s" })
 * permit.decision.allowed // true
 * ```
 */
export function acquire(
  limits: NamedLimits | LimitsByName,
  key: string,
  options?: AcquireOptions & LimitChoice,
): Promise<Permit>
export function acquire(limiter: SettlingChecker, key: string, options?: AcquireOptions): Promise<Permit>
export function acquire(
  limiter: SettlingChecker,
  key: string,
  options?: AcquireOptions & LimitChoice,
): Promise<Permit> {
  const owner = ownerOf(limiter)
  return owner === undefined ? lineOf(limiter).acquire(key, options) : acquireUnder(owner, key, options)
}

/** Waits in the line of the limits, so that all who wait for one of them stand in the same order. */
async function acquireUnder(owner: LimitOwner, key: string, options?: AcquireOptions): Promise<Permit> {
  if (options !== undefined) checkNames("wait", options, OF_ACQUIRE)
  return lineOf(owner.limits).acquire(key, { ...options, limit: owner.name }, owner)
}

function lineOf(limiter: SettlingChecker): WaitingLine {
  let line = lines.get(limiter)
  if (line === undefined) {
    line = new WaitingLine(limiter)
    lines.set(limiter, line)
  }
  return line
}
